/** Definitions of the environment variables. Source of docs/reference/configuration.md and `.env.example`. */
import type { VARIABLE_NAMES } from './variables.js';

export interface VariableDefinition {
  readonly type: string;
  /** Literal value. Unset: see `derived`, or the feature is off. */
  readonly default?: string;
  /** Description of a default without a literal value. */
  readonly derived?: string;
  /** `true`: always; a text: the condition. */
  readonly required?: true | string;
  /** One to three sentences of Markdown; links are relative to docs/reference. */
  readonly meaning: string;
  readonly example?: string;
  /** `NAME_FILE` may name a file with the value. */
  readonly file?: true;
}

/** The keys of the first level are the sections of the page. */
export const VARIABLE_DEFINITIONS = {
  'Listening and public address': {
    HOST: { type: 'host', default: '127.0.0.1', meaning: 'Address on which the server listens.' },
    PORT: { type: 'integer, 1 to 65535', default: '3000', meaning: 'Port of the server.' },
    PUBLIC_URL: {
      type: 'URL',
      derived: '`http://HOST:PORT`, https with TLS files',
      required: 'if `HOST` is not loopback',
      meaning:
        'Base address for clients: https, or loopback. It contains the path that a proxy strips ([Run behind a proxy](../guides/run-behind-a-proxy.md)).',
      example: 'https://mcp.example.com',
    },
    MCP_PATH: {
      type: 'path of a URL',
      default: '/mcp',
      meaning: 'Path of the MCP endpoint. The resource identifier is `PUBLIC_URL` + `MCP_PATH`.',
    },
    MCP_FAST_PATH: {
      type: '`auto`, `off`',
      default: 'auto',
      meaning:
        '`auto` uses the [fast path](../explanation/fast-path.md) unless the host application adds a global guard, interceptor, pipe, filter or middleware. `off` sends every request through the Nest pipeline. The log and `/health/ready` show the state.',
    },
    ALLOWED_ORIGINS: {
      type: 'list of origins',
      derived: 'that of `PUBLIC_URL`; on loopback all its names',
      meaning: 'Accepted values of the header `Origin`.',
      example: 'https://app.example.com',
    },
    ALLOWED_HOSTS: {
      type: 'list of hosts',
      derived: 'that of `PUBLIC_URL`; on loopback all its names',
      meaning: 'Accepted values of the header `Host`. A host without a port allows every port.',
      example: 'mcp.example.com',
    },
    TLS_CERT_FILE: {
      type: 'file',
      meaning: 'Certificate chain (PEM) for TLS in process. The server loads renewed files within seconds.',
      example: '/etc/gate/tls.crt',
    },
    TLS_KEY_FILE: {
      type: 'file',
      required: 'with `TLS_CERT_FILE`',
      meaning: 'Private key (PEM) of the certificate.',
      example: '/etc/gate/tls.key',
    },
    TLS_CLIENT_CA_FILE: {
      type: 'file',
      meaning: 'Authority of client certificates (PEM) for mutual TLS in process.',
      example: '/etc/gate/clients-ca.crt',
    },
    TRUST_PROXY: {
      type: '`false`, number of hops, or list of addresses and CIDRs',
      default: 'false',
      required: 'if `PUBLIC_URL` is https without TLS in process',
      meaning: 'Proxies whose forwarded headers count.',
      example: '10.0.0.0/8',
    },
    TRUST_PROXY_HEADERS: {
      type: '`auto`, `x-forwarded`, `forwarded`',
      default: 'auto',
      meaning:
        'Headers of these proxies: `x-forwarded` (`X-Forwarded-For`, `X-Forwarded-Proto`) or `forwarded` (RFC 7239). With `auto`, `Forwarded` counts only in requests without the other two.',
    },
  },
  Identity: {
    AUTH_ISSUER: {
      type: 'URL',
      required: 'without `IDENTITY_FILE`',
      meaning:
        'Exact `iss` of the tokens: https, or loopback. An http identifier of AD FS needs `AUTH_JWKS_URI` ([other providers](../guides/providers/generic.md)).',
      example: 'https://login.example.com',
    },
    AUTH_PRESET: {
      type: '`generic`, `entra`, `okta`, `auth0`, `keycloak`, `cognito`, `google`, `ping`',
      default: 'generic',
      meaning: 'Provider, which determines the place of scopes, roles, tenant and kind in tokens.',
    },
    AUTH_AUDIENCE: {
      type: 'list',
      derived: 'the resource identifier',
      meaning: 'Accepted values of `aud`.',
      example: 'https://mcp.example.com/mcp',
    },
    AUTH_JWKS_URI: {
      type: 'URL',
      derived: "from the issuer's metadata",
      meaning: 'Address of the keys of the issuer. It may have a query.',
      example: 'https://login.example.com/jwks',
    },
    AUTH_ALGORITHMS: {
      type: 'list',
      default: 'RS256,PS256,ES256,EdDSA',
      meaning: 'Accepted signature algorithms. Only asymmetric algorithms are possible.',
    },
    AUTH_TOKEN_TYPES: {
      type: 'list',
      derived: 'those of the preset; `at+jwt` for `generic`',
      meaning: 'Accepted values of `typ`. `none` accepts a token without `typ`.',
      example: 'at+jwt',
    },
    AUTH_CLOCK_TOLERANCE_SECONDS: {
      type: 'integer, 0 to 60',
      default: '5',
      meaning: 'Tolerance for `exp`, `nbf` and `iat`, in seconds.',
    },
    AUTH_MAX_TOKEN_LIFETIME_SECONDS: {
      type: 'integer, 0 to 31536000',
      default: '3600',
      meaning: 'Maximum of `exp` − `iat`, in seconds. 0 disables the check, with a line in the start log.',
    },
    AUTH_REQUIRE_HUMAN: {
      type: 'boolean',
      default: 'true',
      meaning: '`true` rejects tokens without a user, unless the tool has `@AllowWorkload()`.',
    },
    IDENTITY_FILE: {
      type: 'file',
      meaning:
        'The file [identity.yaml](identity-yaml.md), for several issuers or more settings. It replaces the `AUTH_` variables except `AUTH_REQUIRE_HUMAN`.',
      example: '/etc/gate/identity.yaml',
    },
    CHALLENGE_SCOPES: {
      type: '`allowed`, `minimal`, or list of scopes (commas or spaces)',
      default: 'allowed',
      meaning:
        'Scopes of the first challenge and of `scopes_supported` ([Connect a client](../guides/connect-a-client.md)). `allowed` means every scope that a target on the allow-list needs; `minimal` means those of read-only targets. The provider decides which scopes a user gets.',
    },
  },
  Access: {
    TOOL_ALLOW_LIST: {
      type: 'list of names, `prompt:NAME`, `resource:NAME`, or `*`',
      required: true,
      meaning:
        'Targets that exist in this deployment. `*` means all, with a line in the start log. An unknown name prevents startup.',
      example: 'read_customer,update_customer,delete_customer,send_email',
    },
    POLICY_DIR: {
      type: 'folder',
      meaning:
        'Folder with `policy.yaml` and `*.cedar` ([policy.yaml](policy-yaml.md)). The server loads changes, and rejects an invalid policy as a whole.',
      example: './policy',
    },
    DENIAL_DETAIL: {
      type: '`explain`, `conceal`',
      default: 'explain',
      meaning: 'With `conceal`, a target denied by roles looks exactly like an unknown target.',
    },
    RATE_LIMIT_PER_MINUTE: {
      type: 'integer, 0 to 1000000',
      default: '600',
      meaning:
        'Requests per minute of each principal (issuer, subject, client). Instances with one database count together. 0 disables the limit.',
    },
    REVOCATION_MAX_AGE_SECONDS: {
      type: 'integer, 0 to 86400',
      default: '300',
      meaning:
        'Maximum age of the revocation list, in seconds, while the database is unavailable. Later calls get 503. With 0, revocations have no effect, and the start log has a line.',
    },
    SIGNALS_FILE: {
      type: 'file',
      meaning:
        'The file [signals.yaml](signals-yaml.md) with the transmitters of security events (Shared Signals, CAEP, RISC). Without it the endpoint does not exist.',
      example: '/etc/gate/signals.yaml',
    },
  },
  Upstreams: {
    UPSTREAMS_FILE: {
      type: 'file',
      meaning: 'The file [upstreams.yaml](upstreams-yaml.md) with MCP servers to mount, over stdio or HTTP.',
      example: '/etc/gate/upstreams.yaml',
    },
    UPSTREAM_PINS_FILE: {
      type: 'file',
      derived: '`DATA_DIR/upstream-pins.json`',
      meaning: 'Accepted definitions of the tools of upstreams. The gateway withholds other definitions.',
      example: '/etc/gate/upstream-pins.json',
    },
    UPSTREAM_KEY_FILE: {
      type: 'file',
      derived: '`DATA_DIR/identity-key.pem`, created when needed',
      meaning:
        'Private key (PEM, PKCS #8) that signs the identity headers for upstreams. All instances need the same key.',
      example: '/etc/gate/identity-key.pem',
    },
  },
  'Audit log': {
    AUDIT_FILE: {
      type: 'file',
      derived: '`DATA_DIR/audit.jsonl`',
      meaning:
        'Current file of the audit log. It belongs to one process; other programs must not move or truncate it.',
      example: './data/audit.jsonl',
    },
    AUDIT_ON_FAILURE: {
      type: '`deny`, `allow`',
      default: 'deny',
      meaning:
        'Effect of a failed write. `deny` rejects every call. `allow` accepts calls, with a line in the start log.',
    },
    AUDIT_KEY_FILE: {
      type: 'file',
      derived: '`DATA_DIR/audit-key.pem`, created at the first start',
      meaning: 'Ed25519 key (PEM, PKCS #8) that signs the log. A named file must exist.',
      example: './data/audit-key.pem',
    },
    AUDIT_ROTATE_MIB: {
      type: 'integer, 0 to 1000000',
      default: '256',
      meaning: 'Size in MiB at which a file of the log is rotated. 0 disables rotation by size.',
    },
    AUDIT_ROTATE_DAILY: {
      type: 'boolean',
      default: 'true',
      meaning: '`true` rotates the file at the end of the day (UTC).',
    },
    AUDIT_RETENTION_DAYS: {
      type: 'integer, 0 to 36500',
      default: '0',
      meaning: 'Days from the last record of a rotated file to its deletion. 0 keeps all files.',
    },
    AUDIT_PSEUDONYM_KEY_FILE: {
      type: 'file',
      meaning: 'Secret of at least 32 characters. Records then contain keyed hashes in place of users.',
      example: '/etc/gate/pseudonyms.secret',
    },
    AUDIT_SINKS_FILE: {
      type: 'file',
      meaning: 'The file [sinks.yaml](sinks-yaml.md) with the destinations of the audit log.',
      example: '/etc/gate/sinks.yaml',
    },
  },
  Storage: {
    DATA_DIR: {
      type: 'folder',
      default: './data',
      meaning: 'Folder of the embedded database and the audit log.',
    },
    DATABASE_URL: {
      type: '`postgres://` URL',
      derived: 'embedded database under `DATA_DIR`',
      required: 'for several instances',
      meaning: 'PostgreSQL database ([TLS](#postgresql-tls)).',
      example: 'postgres://gate@db.example.com:5432/gate',
      file: true,
    },
    DATABASE_URL_FILE: {
      type: 'file',
      meaning: 'File with the URL, in place of `DATABASE_URL`.',
      example: '/run/secrets/database_url',
    },
  },
  Operation: {
    METRICS_PORT: {
      type: 'integer, 1 to 65535',
      meaning: 'Separate, internal port for [metrics](metrics.md) and probes.',
      example: '9464',
    },
    METRICS_HOST: {
      type: 'host',
      default: '127.0.0.1',
      meaning: 'Address of the internal port.',
    },
    OTEL_EXPORTER_OTLP_ENDPOINT: {
      type: 'URL',
      meaning: 'OpenTelemetry collector for traces (OTLP over HTTP).',
      example: 'http://127.0.0.1:4318',
    },
    OTEL_EXPORTER_OTLP_HEADERS_FILE: {
      type: 'file',
      meaning: 'File with request headers for the collector, one `NAME: VALUE` per line.',
      example: '/run/secrets/otlp-headers',
    },
    OTEL_TRACES_SAMPLER_ARG: {
      type: 'number, 0 to 1',
      default: '1',
      meaning: 'Ratio of exported traces.',
    },
    OTEL_SERVICE_NAME: {
      type: 'text without spaces',
      default: 'identity-aware-mcp-server',
      meaning: 'Service name in traces.',
    },
    SHUTDOWN_DRAIN_SECONDS: {
      type: 'integer, 0 to 300',
      default: '5',
      meaning: 'Seconds after SIGTERM in which an unready instance still answers.',
    },
    SHUTDOWN_GRACE_SECONDS: {
      type: 'integer, 0 to 3600',
      default: '20',
      meaning: 'Seconds after the drain in which running calls can complete.',
    },
    HTTPS_PROXY: {
      type: 'URL',
      meaning:
        'Proxy for outbound https requests, also in lower case. Never used for loopback, PostgreSQL or mail ([Run behind a proxy](../guides/run-behind-a-proxy.md)).',
      example: 'http://proxy.example.com:3128',
    },
    HTTP_PROXY: {
      type: 'URL',
      meaning: 'Proxy for outbound http requests, also in lower case.',
      example: 'http://proxy.example.com:3128',
    },
    NO_PROXY: {
      type: 'list of hosts, domains and CIDRs',
      meaning: 'Destinations of direct requests, also in lower case.',
      example: '.svc.cluster.local,10.0.0.0/8',
    },
    LOG_LEVEL: {
      type: '`fatal`, `error`, `warn`, `info`, `debug`, `trace`, `silent`',
      default: 'info',
      meaning: 'Minimum level of the JSON log on stdout.',
    },
    LOG_PRETTY: {
      type: 'boolean',
      default: 'false',
      meaning: '`true` formats the log for a terminal.',
    },
  },
  'Example tools': {
    EXAMPLE_TOOLS: {
      type: 'boolean',
      default: 'false',
      meaning:
        '`true` registers the tools of `src/examples/` and creates their table `customers` with five invented users. The start log has a line.',
      example: 'true',
    },
    SMTP_URL: {
      type: '`smtp://` or `smtps://` URL',
      meaning:
        'Mail server of `send_email`. Without it, the tool answers that mail is not configured. An error without `EXAMPLE_TOOLS=true`.',
      example: 'smtp://mail.example.com:587',
      file: true,
    },
    SMTP_URL_FILE: {
      type: 'file',
      meaning: 'File with the URL, in place of `SMTP_URL`.',
      example: '/run/secrets/smtp_url',
    },
  },
} as const satisfies Record<string, Partial<Record<(typeof VARIABLE_NAMES)[number], VariableDefinition>>>;
