/** Typed and validated settings, one section per concern. */
import type { ProxyHeaders } from '../core/sender.js';
import type { ClientSettings } from './client-settings.js';
import type { UpstreamsSettings } from './upstream-settings.js';

export type { ClientSettings } from './client-settings.js';
export type {
  TokenRequestSettings,
  UpstreamAuthSettings,
  UpstreamSettings,
  UpstreamsSettings,
  UpstreamToolSettings,
} from './upstream-settings.js';

/** Presets: claims of scopes, roles, tenant and kind by provider. */
export const PRESETS = [
  'generic',
  'entra',
  'okta',
  'auth0',
  'keycloak',
  'cognito',
  'google',
  'ping',
] as const;

export type Preset = (typeof PRESETS)[number];

export interface ServerSettings {
  readonly host: string;
  readonly port: number;
  /** Base of all public URLs, without a final slash: an origin, with a path if a proxy removes that path. */
  readonly publicUrl: string;
  readonly mcpPath: string;
  /** `auto`: plain `tools/call` and `tools/list` bypass Express, Nest and the SDK unless the host application extends them. */
  readonly fastPath: 'auto' | 'off';
  /** The resource identifier (RFC 8707, RFC 9728): `PUBLIC_URL` + `MCP_PATH`. */
  readonly resource: string;
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
  /** As in Express: false, a number of hops, or CIDRs. */
  readonly trustProxy: false | number | readonly string[];
  /** Evaluated headers of trusted proxies. */
  readonly proxyHeaders: ProxyHeaders;
  /** Unset: plain HTTP, for loopback or behind a TLS proxy. */
  readonly tls: TlsSettings | undefined;
}

export interface TlsSettings {
  readonly certFile: string;
  readonly keyFile: string;
  /** Set: clients must present a certificate of this CA. */
  readonly clientCaFile: string | undefined;
}

/** Binding of tokens to a key of the client: allowed or required. The binding of a bound token is always verified. */
export type SenderConstraint = 'allowed' | 'required';

/**
 * Claims of one issuer that replace those of the preset. Each is the name of a claim or a JSON Pointer (RFC 6901),
 * such as `/realm_access/roles`.
 */
export interface ClaimSettings {
  /** The first present claim counts. */
  readonly scopes?: readonly string[];
  /** All present claims are united. */
  readonly roles?: readonly string[];
  /** The first present claim counts. */
  readonly clientId?: readonly string[];
  /** The first present claim counts. */
  readonly tenant?: readonly string[];
}

/** Introspection of tokens (RFC 7662) in place of signature verification. */
export interface IntrospectionSettings extends ClientSettings {
  /** Default: from the metadata of the issuer. */
  readonly endpoint: string | undefined;
  /** True: accept an active token without an audience in response and token. Default false. */
  readonly acceptsMissingAudience?: boolean | undefined;
  /** Time for which an active response is cached, in seconds; 0 disables the cache. */
  readonly cacheSeconds: number;
}

/** One issuer and its settings. They never apply to tokens of another issuer. */
export interface IssuerSettings {
  /** Exact `iss`. The server does not fetch an http identifier beyond loopback. */
  readonly issuer: string;
  readonly preset: Preset;
  readonly audience: readonly string[];
  /** Address of the metadata. Default: the well-known addresses. */
  readonly metadataUrl: string | undefined;
  /** Default: from the metadata of the issuer. */
  readonly jwksUri: string | undefined;
  readonly algorithms: readonly string[];
  /** True: a set with one key without `kid` verifies tokens with a `kid`. Default false. */
  readonly acceptsKeyWithoutKid?: boolean | undefined;
  /**
   * Accepted JWT `typ`, lower case, without `application/`; `none` accepts a token without `typ`. Default: the
   * preset.
   */
  readonly tokenTypes: readonly string[] | undefined;
  readonly clockToleranceSeconds: number;
  /** 0: unlimited. */
  readonly maxTokenLifetimeSeconds: number;
  readonly claims: ClaimSettings;
  /** Separator of roles in a role claim that is one string. Unset: such a claim is rejected. */
  readonly rolesSeparator?: string | undefined;
  /** Set: of roles granted by organizations (Zitadel), only grants of these organizations count. */
  readonly roleOrganizations?: readonly string[] | undefined;
  /** Claim with a display name for records and commands. It takes no part in decisions. */
  readonly displayClaim?: string | undefined;
  /** Maps role names of the provider to those of access rules. Set: unmapped roles are dropped. */
  readonly roleMap: ReadonlyMap<string, string> | undefined;
  /** Prefix of scopes at the provider (`api://GUID/`); removed from tokens, added to challenges. */
  readonly scopePrefix: string;
  readonly dpop: SenderConstraint;
  readonly mtls: SenderConstraint;
  /** Interval of the JWKS refresh: the longest use of a removed key. */
  readonly keyRefreshSeconds: number;
  /** Maximum age of keys while the issuer is unavailable. */
  readonly keyMaxAgeSeconds: number;
  /** Set: every token of this issuer is introspected. Its keys verify JWTs whose response has no audience. */
  readonly introspection: IntrospectionSettings | undefined;
}

/** Client certificate in a header of a proxy. Evaluated only from a peer in `TRUST_PROXY`. */
export interface ClientCertificateHeader {
  /** Lower case. */
  readonly name: string;
  /** `rfc9440`: base64 DER between colons; `pem`: URL-encoded PEM (nginx); `xfcc`: Envoy's list. */
  readonly format: 'rfc9440' | 'pem' | 'xfcc';
}

export interface AuthSettings {
  /** In production: reject tokens and metadata of a demo issuer. */
  readonly refusesDemoIssuer: boolean;
  /** At least one. Challenges and metadata name the first. */
  readonly issuers: readonly IssuerSettings[];
  /** Set: DPoP proofs must contain a nonce derived from this secret, which all instances share (RFC 9449 section 9). */
  readonly dpopNonceSecret: string | undefined;
  /** Unset: only the certificate of in-process TLS counts. */
  readonly clientCertificateHeader: ClientCertificateHeader | undefined;
}

/** `allowed`: all scopes of allowed targets; `minimal`: those of read-only targets; or a list of at least one scope. */
export type ChallengeScopes = 'allowed' | 'minimal' | readonly string[];

export interface PolicySettings {
  readonly allowList: '*' | ReadonlySet<string>;
  readonly requireHuman: boolean;
  readonly denialDetail: 'explain' | 'conceal';
  /** Scopes of the first challenge and of `scopes_supported`. */
  readonly challengeScopes: ChallengeScopes;
  /** Folder of the operator's policy; undefined without one. */
  readonly directory: string | undefined;
}

/** `json`: unchanged records; `ocsf`: API Activity (6003) of OCSF 1.3; `cef`: Common Event Format. */
export const SINK_FORMATS = ['json', 'ocsf', 'cef'] as const;
export type SinkFormat = (typeof SINK_FORMATS)[number];

/** Destination of the audit log. */
export type SinkSettings = {
  /** Name in logs and in the file of the delivery position. */
  readonly name: string;
  readonly format: SinkFormat;
} & (
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'stdout' }
  | {
      readonly type: 'https';
      readonly url: string;
      readonly token: string | undefined;
      readonly ca: string | undefined;
    }
  /** RFC 5424 over TLS (RFC 5425). */
  | { readonly type: 'syslog'; readonly host: string; readonly port: number; readonly ca: string | undefined }
  | { readonly type: 'postgres'; readonly databaseUrl: string }
);

export interface AuditSettings {
  readonly file: string;
  readonly onFailure: 'deny' | 'allow';
  /** PEM, PKCS #8, Ed25519: signs the checkpoints of the audit log. */
  readonly keyFile: string;
  /** True for the default path: the file is created on the first start. */
  readonly makesKey: boolean;
  /** Size at which a file of the audit log is rotated; 0: no limit. */
  readonly rotateBytes: number;
  /** Rotate the file of the audit log at the end of each day (UTC). */
  readonly rotateDaily: boolean;
  /** Age of the last record at which a rotated file is deleted; 0: never. */
  readonly retentionDays: number;
  /** Set: records contain keyed hashes in place of user names. */
  readonly pseudonymKey: string | undefined;
  readonly sinks: readonly SinkSettings[];
}

/** Events that revoke tokens (CAEP 1.0, RISC 1.0), by the last segment of their URIs. */
export const SIGNAL_EVENTS = [
  'session-revoked',
  'token-claims-change',
  'credential-change',
  'assurance-level-change',
  'account-disabled',
  'account-purged',
  'account-credential-change-required',
  'credential-compromise',
  'sessions-revoked',
] as const;
export type SignalEvent = (typeof SIGNAL_EVENTS)[number];

/** Transmitter of security event tokens (RFC 8417) and its rights. */
export interface TransmitterSettings {
  /** Exact `iss` of its tokens. */
  readonly issuer: string;
  /** Accepted `aud`. */
  readonly audience: readonly string[];
  /** Default: from the metadata of the transmitter (SSF 1.0 section 6). */
  readonly jwksUri: string | undefined;
  readonly algorithms: readonly string[];
  /** Complete value of its `Authorization` header. Unset: only the signature authenticates the transmitter. */
  readonly authorization: string | undefined;
  /** Issuer whose users its events may concern. */
  readonly subjectIssuer: string;
  /** True: `sub` of that issuer is the e-mail address of the user. */
  readonly emailIsSubject: boolean;
  /** Other events have no effect. */
  readonly events: ReadonlySet<SignalEvent>;
  /** Tolerance for times in the future. */
  readonly clockToleranceSeconds: number;
  /** Accepted deliveries. */
  readonly perMinute: number;
}

export interface StorageSettings {
  readonly dataDir: string;
  /** Unset: the embedded database under `dataDir`. */
  readonly databaseUrl: string | undefined;
}

export interface TracingSettings {
  /** URL for spans (OTLP over HTTP). */
  readonly endpoint: string;
  /** Usually secrets of the collector. */
  readonly headers: Readonly<Record<string, string>>;
  /** Fraction of sampled traces, 0 to 1. */
  readonly ratio: number;
  readonly serviceName: string;
}

export interface OperationsSettings {
  /** Unset: no metrics. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  /** Unset: no traces. */
  readonly tracing: TracingSettings | undefined;
}

/** Proxy of outbound requests. */
export interface ProxySettings {
  readonly variable: 'HTTPS_PROXY' | 'HTTP_PROXY';
  /** True: TLS to the proxy. */
  readonly secure: boolean;
  /** An IPv6 address without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** `host:port`, for messages. */
  readonly name: string;
  /** `Proxy-Authorization`; a secret. */
  readonly authorization: string | undefined;
}

export interface OutboundSettings {
  readonly https: ProxySettings | undefined;
  readonly http: ProxySettings | undefined;
  /** Entries of `NO_PROXY`: targets of direct requests. */
  readonly direct: readonly string[];
}

/** Settings of the example tools (`EXAMPLE_TOOLS=true`). */
export interface ExampleSettings {
  /** Unset: `send_email` returns an error. */
  readonly smtpUrl: string | undefined;
}

export interface Settings {
  readonly server: ServerSettings;
  readonly auth: AuthSettings;
  readonly policy: PolicySettings;
  readonly audit: AuditSettings;
  readonly storage: StorageSettings;
  readonly revocation: {
    /** Maximum age of the revocation list, in seconds; 0 disables revocation. */
    readonly maxAgeSeconds: number;
  };
  readonly operations: OperationsSettings;
  readonly shutdown: {
    /** Time in which the server still answers after readiness is off. */
    readonly drainSeconds: number;
    /** Time in which running calls may end. */
    readonly graceSeconds: number;
  };
  /** Empty: no transmitter is accepted. */
  readonly signals: readonly TransmitterSettings[];
  readonly upstreams: UpstreamsSettings;
  /** 0: no limit. */
  readonly limits: { readonly perMinute: number };
  /** Unset: all requests are direct. */
  readonly outbound: OutboundSettings | undefined;
  /** Unset: the example tools are not loaded. */
  readonly examples: ExampleSettings | undefined;
  readonly log: { readonly level: string; readonly pretty: boolean };
  /** Active relaxations and probable typing errors, each logged once at startup. */
  readonly notices: readonly string[];
}
