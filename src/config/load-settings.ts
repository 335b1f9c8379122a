/** Environment in, typed settings out, or every fault at once. Pure. */
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { join, resolve } from 'node:path';
import { withoutRootDot } from '../lib/root-dot.js';
import type { ProxyHeaders } from '../core/sender.js';
import { databaseRelaxation, databaseUrlFaults, namesSslMode } from './database-url.js';
import { ISSUER_DEFAULTS, plainType, readIdentityFile, type IssuersSettings } from './identity-file.js';
import { proxyNotices, proxyVariables, readOutbound } from './proxies.js';
import { readSignalsFile } from './signals-file.js';
import { readSinksFile } from './sinks-file.js';
import { readUpstreamsFile } from './upstreams-file.js';
import type { ReadFile } from './yaml-file.js';
import type {
  AuditSettings,
  AuthSettings,
  ChallengeScopes,
  ExampleSettings,
  IssuerSettings,
  Preset,
  Settings,
  SinkSettings,
  TracingSettings,
  TransmitterSettings,
  UpstreamSettings,
} from './settings.js';
import { nameFaults, unknownNames, valueFault } from './foreign-variables.js';
import { isLoopbackHost, isSecureUrl, SECRET_URLS, splitList, splitScopes } from './rules.js';
import { type Environment, ONE_ISSUER_VARIABLES, Variables, VARIABLE_NAMES } from './variables.js';
import { PRODUCT_NAME } from '../lib/version.js';

export type { Environment };

/** Says which variables are wrong and why, never what they hold. */
export class ConfigurationError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(
      `The configuration has ${faults.length} fault(s):\n${faults.map((fault) => `  - ${fault}`).join('\n')}`,
    );
    this.name = 'ConfigurationError';
  }
}

const MIN_SECRET_LENGTH = 32;
const MIB = 1024 * 1024;

/** Keys that are believed for longer than this without a word from the issuer are worth a line at every start. */
const LONG_KEY_AGE_SECONDS = 86_400;

/**
 * @param env the variables; nothing else is read but the files that they name.
 * @throws ConfigurationError with every fault, each naming its variable.
 */
export function loadSettings(env: Environment, read: ReadFile): Settings {
  const given = givenIn(env);
  const foreign = foreignFaults(given);
  const faults = [
    ...nameFaults(env),
    ...emptyFaults(given),
    ...foreign.values(),
    ...formFaults(given, new Set(foreign.keys())),
  ];
  const variables = plainToInstance(Variables, given);
  const sound = faults.length === 0;
  if (sound) faults.push(...crossFaults(variables));
  // The file is read in any case: all that is wrong is said at once.
  const file = variables.IDENTITY_FILE?.trim();
  const resource = sound ? addressesOf(variables).resource : 'unknown';
  const named = file ? readIdentityFile({ path: resolve(file), resource, read }, faults) : undefined;
  // Set by whoever runs Node in production, and by the image.
  const refusesDemoIssuer = env.NODE_ENV === 'production';
  const auth = { ...(named ?? oneIssuer(variables, resource)), refusesDemoIssuer };
  if (sound) faults.push(...certificateFaults(variables, auth));
  const pseudonymKey = readSecret('AUDIT_PSEUDONYM_KEY_FILE', variables, read, faults);
  const sinksFile = variables.AUDIT_SINKS_FILE?.trim();
  const sinks = sinksFile ? readSinksFile(resolve(sinksFile), read, faults) : [];
  const signalsFile = variables.SIGNALS_FILE?.trim();
  const issuers = auth.issuers.filter(({ issuer }) => issuer !== '');
  const signals = signalsFile ? readSignalsFile(resolve(signalsFile), issuers, read, faults) : [];
  const upstreamsFile = variables.UPSTREAMS_FILE?.trim();
  const upstreams = upstreamsFile ? readUpstreamsFile(resolve(upstreamsFile), read, faults) : [];
  const tracing = readTracing(variables, read, faults);
  const databaseUrl = secretUrl('DATABASE_URL', variables, read, faults);
  const examples = readExamples(variables, read, faults);
  for (const { name, url } of databasesOf(databaseUrl, sinks)) {
    faults.push(...databaseUrlFaults(url, read).map((fault) => `${name}: ${fault}`));
    if (env.PGSSLMODE !== undefined && !namesSslMode(url)) {
      faults.push(`${name}: PGSSLMODE is not read: write sslmode in the URL`);
    }
  }
  if (faults.length > 0) throw new ConfigurationError(faults);
  return toSettings(
    variables,
    { auth, audit: { pseudonymKey, sinks }, signals, upstreams, tracing, databaseUrl, examples },
    env,
  );
}

function givenIn(env: Environment): Record<string, unknown> {
  const all: Environment = {
    ...env,
    HTTPS_PROXY: undefined,
    HTTP_PROXY: undefined,
    NO_PROXY: undefined,
    ...proxyVariables(env),
  };
  const names = VARIABLE_NAMES.filter((name) => all[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, all[name]]));
}

function emptyFaults(given: Record<string, unknown>): string[] {
  return Object.entries(given)
    .filter(([, value]) => typeof value === 'string' && value.trim() === '')
    .map(([name]) => `${name}: is set but empty: give it a value, or leave it out`);
}

/** @param named variables whose faults are named already. */
function formFaults(given: Record<string, unknown>, named: ReadonlySet<string>): string[] {
  const filled = Object.entries(given).filter(
    ([, value]) => typeof value !== 'string' || value.trim() !== '',
  );
  const empty = new Set(
    Object.keys(given).filter((name) => !filled.some(([filledName]) => filledName === name)),
  );
  return validateSync(plainToInstance(Variables, Object.fromEntries(filled)))
    .filter(({ property }) => !empty.has(property) && !named.has(property))
    .map((error) => {
      const missing = error.value === undefined;
      return `${error.property}: ${missing ? 'is required and not set' : Object.values(error.constraints ?? {}).join('; ')}`;
    });
}

/** Values that no variable can have, since something else left its marks in them. */
function foreignFaults(given: Record<string, unknown>): Map<string, string> {
  const faults = Object.entries(given).flatMap(([name, value]) => {
    const fault = typeof value === 'string' ? valueFault(name, value) : undefined;
    return fault === undefined ? [] : [[name, `${name}: ${fault}`] as const];
  });
  return new Map(faults);
}

function crossFaults(variables: Variables): string[] {
  const faults: string[] = [];
  if (Boolean(variables.TLS_CERT_FILE) !== Boolean(variables.TLS_KEY_FILE)) {
    faults.push('TLS_CERT_FILE: needs TLS_KEY_FILE, and the other way round');
  }
  if (variables.TLS_CLIENT_CA_FILE && !variables.TLS_CERT_FILE) {
    faults.push('TLS_CLIENT_CA_FILE: needs TLS_CERT_FILE and TLS_KEY_FILE');
  }
  if (!variables.PUBLIC_URL && !variables.TLS_CERT_FILE && !isLoopbackHost(variables.HOST ?? '127.0.0.1')) {
    faults.push('PUBLIC_URL: is required where HOST is not loopback: clients must be told an https URL');
  }
  if (variables.PUBLIC_URL?.toLowerCase().startsWith('http:') && variables.TLS_CERT_FILE) {
    faults.push('PUBLIC_URL: must be https where TLS_CERT_FILE is set');
  }
  if (variables.IDENTITY_FILE) {
    for (const name of ONE_ISSUER_VARIABLES.filter((one) => variables[one] !== undefined)) {
      faults.push(
        `${name}: has no effect beside IDENTITY_FILE, which names the issuers: leave one of them out`,
      );
    }
  }
  const isHttps = variables.PUBLIC_URL?.toLowerCase().startsWith('https:') ?? false;
  if (isHttps && !variables.TLS_CERT_FILE && (variables.TRUST_PROXY ?? 'false') === 'false') {
    faults.push(
      'TRUST_PROXY: must name the proxy that speaks https for this server, unless TLS_CERT_FILE is set',
    );
  }
  if (variables.METRICS_HOST !== undefined && variables.METRICS_PORT === undefined) {
    faults.push('METRICS_HOST: has no effect without METRICS_PORT');
  }
  if (variables.SIGNALS_FILE && Number(variables.REVOCATION_MAX_AGE_SECONDS ?? 1) === 0) {
    faults.push('SIGNALS_FILE: has no effect where REVOCATION_MAX_AGE_SECONDS switches revocation off');
  }
  for (const name of ['UPSTREAM_PINS_FILE', 'UPSTREAM_KEY_FILE'] as const) {
    if (variables[name] !== undefined && variables.UPSTREAMS_FILE === undefined) {
      faults.push(`${name}: has no effect without UPSTREAMS_FILE`);
    }
  }
  const trusted = splitList(variables.TRUST_PROXY ?? 'false');
  if (trusted.length > 1 && trusted.some((item) => item === 'false' || /^\d{1,2}$/.test(item))) {
    faults.push('TRUST_PROXY: is either false, or one number of hops, or a list of CIDRs');
  }
  return faults;
}

function certificateFaults(variables: Variables, auth: AuthSettings): string[] {
  const faults: string[] = [];
  if (auth.clientCertificateHeader && splitList(variables.TRUST_PROXY ?? 'false').includes('false')) {
    faults.push('TRUST_PROXY: must name the proxy whose client_certificate_header IDENTITY_FILE believes');
  }
  const seesCertificates = auth.clientCertificateHeader ?? variables.TLS_CLIENT_CA_FILE;
  if (auth.issuers.some(({ mtls }) => mtls === 'required') && !seesCertificates) {
    faults.push(
      'TLS_CLIENT_CA_FILE: is required where IDENTITY_FILE says mtls: required, or a client_certificate_header',
    );
  }
  return faults;
}

/** Where the audit log is, for those who only read it. */
export function auditFileOf({ AUDIT_FILE: file, DATA_DIR: folder }: Environment): string {
  return resolve(file ?? join(resolve(folder ?? './data'), 'audit.jsonl'));
}

/** Where the key is that signs it. */
export function auditKeyFileOf({ AUDIT_KEY_FILE: file, DATA_DIR: folder }: Environment): string {
  return resolve(file ?? join(resolve(folder ?? './data'), 'audit-key.pem'));
}

/** A secret of at least {@link MIN_SECRET_LENGTH} characters in a file of its own. */
function readSecret(
  name: 'AUDIT_PSEUDONYM_KEY_FILE',
  variables: Variables,
  read: ReadFile,
  faults: string[],
): string | undefined {
  const secret = readOwnFile(name, variables, read, faults);
  if (secret === undefined || secret.length >= MIN_SECRET_LENGTH) return secret;
  faults.push(`${name}: the file holds fewer than ${MIN_SECRET_LENGTH} characters`);
  return undefined;
}

/** An address with a password in it: in the variable, or in the file that the variable with `_FILE` names; never in both. */
function secretUrl(
  name: keyof typeof SECRET_URLS,
  variables: Variables,
  read: ReadFile,
  faults: string[],
): string | undefined {
  const inFile = `${name}_FILE` as const;
  if (variables[name] !== undefined && variables[inFile] !== undefined) {
    faults.push(`${inFile}: says the same as ${name}: leave one of them out`);
    return undefined;
  }
  const url = readOwnFile(inFile, variables, read, faults);
  if (url === undefined) return variables[name];
  const { form, message } = SECRET_URLS[name];
  if (!form.test(url)) faults.push(`${inFile}: what the file holds ${message}`);
  return url;
}

/** Settings of the example tools; undefined where they are not loaded. */
function readExamples(variables: Variables, read: ReadFile, faults: string[]): ExampleSettings | undefined {
  if (variables.EXAMPLE_TOOLS === 'true') {
    return { smtpUrl: secretUrl('SMTP_URL', variables, read, faults) };
  }
  for (const name of ['SMTP_URL', 'SMTP_URL_FILE'] as const) {
    if (variables[name] !== undefined) faults.push(`${name}: has no effect without EXAMPLE_TOOLS=true`);
  }
  return undefined;
}

/** Each PostgreSQL with the place that names it. */
function databasesOf(
  own: string | undefined,
  sinks: readonly SinkSettings[],
): { readonly name: string; readonly url: string }[] {
  return [
    ...(own === undefined ? [] : [{ name: 'DATABASE_URL', url: own }]),
    ...sinks.flatMap((sink) =>
      sink.type === 'postgres'
        ? [{ name: `AUDIT_SINKS_FILE: database_url_file of ${sink.name}`, url: sink.databaseUrl }]
        : [],
    ),
  ];
}

/** What the file holds that a variable names; a fault says why it cannot be had, and nothing of it. */
function readOwnFile(
  name: 'AUDIT_PSEUDONYM_KEY_FILE' | 'OTEL_EXPORTER_OTLP_HEADERS_FILE' | `${keyof typeof SECRET_URLS}_FILE`,
  variables: Variables,
  read: ReadFile,
  faults: string[],
): string | undefined {
  const path = variables[name]?.trim();
  if (!path) return undefined;
  try {
    return read(resolve(path)).trim();
  } catch (error) {
    faults.push(
      `${name}: the file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`,
    );
  }
  return undefined;
}

/** Where traces go, and what the collector asks for, as lines of `name: value`. */
function readTracing(variables: Variables, read: ReadFile, faults: string[]): TracingSettings | undefined {
  const endpoint = variables.OTEL_EXPORTER_OTLP_ENDPOINT?.trim();
  const text = readOwnFile('OTEL_EXPORTER_OTLP_HEADERS_FILE', variables, read, faults);
  const needing = [
    'OTEL_EXPORTER_OTLP_HEADERS_FILE',
    'OTEL_TRACES_SAMPLER_ARG',
    'OTEL_SERVICE_NAME',
  ] as const;
  if (!endpoint) {
    const idle = needing.filter((name) => variables[name] !== undefined);
    faults.push(...idle.map((name) => `${name}: has no effect without OTEL_EXPORTER_OTLP_ENDPOINT`));
    return undefined;
  }
  const lines = (text ?? '').split('\n').filter((line) => line.trim() !== '');
  const headers = lines.map((line) => /^([A-Za-z0-9-]+)\s*[:=]\s*(\S.*?)\s*$/.exec(line)?.slice(1));
  if (!headers.every((header) => header !== undefined)) {
    faults.push('OTEL_EXPORTER_OTLP_HEADERS_FILE: the file holds a line that is not NAME: VALUE');
  }
  if (lines.length > 0 && !isSecureUrl(endpoint)) {
    faults.push(
      'OTEL_EXPORTER_OTLP_ENDPOINT: must be https, or loopback, where OTEL_EXPORTER_OTLP_HEADERS_FILE is set',
    );
  }
  return {
    endpoint: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers: Object.fromEntries(headers.filter((header) => header !== undefined)) as Record<string, string>,
    ratio: Number(variables.OTEL_TRACES_SAMPLER_ARG ?? 1),
    serviceName: variables.OTEL_SERVICE_NAME ?? PRODUCT_NAME,
  };
}

/** The short form: one issuer, in variables. */
function oneIssuer(variables: Variables, resource: string): IssuersSettings {
  const issuer: IssuerSettings = {
    ...ISSUER_DEFAULTS,
    issuer: variables.AUTH_ISSUER ?? '',
    audience: variables.AUTH_AUDIENCE ? splitList(variables.AUTH_AUDIENCE) : [resource],
    jwksUri: variables.AUTH_JWKS_URI,
    algorithms: variables.AUTH_ALGORITHMS ? splitList(variables.AUTH_ALGORITHMS) : ISSUER_DEFAULTS.algorithms,
    preset: (variables.AUTH_PRESET ?? ISSUER_DEFAULTS.preset) as Preset,
    tokenTypes: variables.AUTH_TOKEN_TYPES ? splitList(variables.AUTH_TOKEN_TYPES).map(plainType) : undefined,
    clockToleranceSeconds: Number(
      variables.AUTH_CLOCK_TOLERANCE_SECONDS ?? ISSUER_DEFAULTS.clockToleranceSeconds,
    ),
    maxTokenLifetimeSeconds: Number(
      variables.AUTH_MAX_TOKEN_LIFETIME_SECONDS ?? ISSUER_DEFAULTS.maxTokenLifetimeSeconds,
    ),
  };
  return { issuers: [issuer], dpopNonceSecret: undefined, clientCertificateHeader: undefined };
}

function addressesOf(variables: Variables) {
  const host = variables.HOST ?? '127.0.0.1';
  const port = Number(variables.PORT ?? 3000);
  const scheme = variables.TLS_CERT_FILE ? 'https' : 'http';
  const { origin, pathname } = new URL(variables.PUBLIC_URL ?? `${scheme}://${urlHost(host)}:${port}`);
  const publicUrl = origin + pathname.replace(/\/$/, '');
  const mcpPath = variables.MCP_PATH ?? '/mcp';
  return { host, port, publicUrl, mcpPath, resource: publicUrl + mcpPath };
}

/** What files say that variables name. */
interface FromFiles {
  readonly auth: AuthSettings;
  readonly audit: Pick<AuditSettings, 'pseudonymKey' | 'sinks'>;
  readonly tracing: TracingSettings | undefined;
  readonly signals: readonly TransmitterSettings[];
  readonly upstreams: readonly UpstreamSettings[];
  readonly databaseUrl: string | undefined;
  readonly examples: ExampleSettings | undefined;
}

function toSettings(
  variables: Variables,
  { auth, audit, signals, upstreams, tracing, databaseUrl, examples }: FromFiles,
  env: Environment,
): Settings {
  const tls = variables.TLS_CERT_FILE && variables.TLS_KEY_FILE;
  const { publicUrl, ...addresses } = addressesOf(variables);
  const dataDir = resolve(variables.DATA_DIR ?? './data');
  const allowList = splitList(variables.TOOL_ALLOW_LIST);
  const settings: Omit<Settings, 'notices'> = {
    server: {
      ...addresses,
      publicUrl,
      allowedOrigins: variables.ALLOWED_ORIGINS
        ? splitList(variables.ALLOWED_ORIGINS).map((origin) => origin.toLowerCase())
        : withLoopbackNames(publicUrl),
      allowedHosts: variables.ALLOWED_HOSTS
        ? splitList(variables.ALLOWED_HOSTS).map((name) => withoutRootDot(name.toLowerCase()))
        : withLoopbackNames(publicUrl).map((origin) => withoutRootDot(new URL(origin).hostname)),
      trustProxy: trustProxy(variables.TRUST_PROXY ?? 'false'),
      fastPath: (variables.MCP_FAST_PATH ?? 'auto') as 'auto' | 'off',
      proxyHeaders: (variables.TRUST_PROXY_HEADERS ?? 'auto') as ProxyHeaders,
      tls: tls
        ? {
            certFile: resolve(variables.TLS_CERT_FILE ?? ''),
            keyFile: resolve(variables.TLS_KEY_FILE ?? ''),
            clientCaFile: variables.TLS_CLIENT_CA_FILE && resolve(variables.TLS_CLIENT_CA_FILE),
          }
        : undefined,
    },
    auth,
    policy: {
      allowList: allowList.includes('*') ? '*' : new Set(allowList),
      requireHuman: (variables.AUTH_REQUIRE_HUMAN ?? 'true') === 'true',
      denialDetail: (variables.DENIAL_DETAIL ?? 'explain') as 'explain' | 'conceal',
      challengeScopes: challengeScopes(variables.CHALLENGE_SCOPES ?? 'allowed'),
      directory: variables.POLICY_DIR && resolve(variables.POLICY_DIR),
    },
    audit: {
      file: auditFileOf({ AUDIT_FILE: variables.AUDIT_FILE, DATA_DIR: dataDir }),
      onFailure: (variables.AUDIT_ON_FAILURE ?? 'deny') as 'deny' | 'allow',
      keyFile: auditKeyFileOf({ AUDIT_KEY_FILE: variables.AUDIT_KEY_FILE, DATA_DIR: dataDir }),
      makesKey: variables.AUDIT_KEY_FILE === undefined,
      rotateBytes: Number(variables.AUDIT_ROTATE_MIB ?? 256) * MIB,
      rotateDaily: (variables.AUDIT_ROTATE_DAILY ?? 'true') === 'true',
      retentionDays: Number(variables.AUDIT_RETENTION_DAYS ?? 0),
      ...audit,
    },
    storage: { dataDir, databaseUrl },
    revocation: { maxAgeSeconds: Number(variables.REVOCATION_MAX_AGE_SECONDS ?? 300) },
    operations: {
      metrics:
        variables.METRICS_PORT === undefined
          ? undefined
          : { host: variables.METRICS_HOST ?? '127.0.0.1', port: Number(variables.METRICS_PORT) },
      tracing,
    },
    shutdown: {
      drainSeconds: Number(variables.SHUTDOWN_DRAIN_SECONDS ?? 5),
      graceSeconds: Number(variables.SHUTDOWN_GRACE_SECONDS ?? 20),
    },
    signals,
    upstreams: {
      list: upstreams,
      pinsFile: resolve(variables.UPSTREAM_PINS_FILE ?? join(dataDir, 'upstream-pins.json')),
      keyFile: resolve(variables.UPSTREAM_KEY_FILE ?? join(dataDir, 'identity-key.pem')),
      makesKey: variables.UPSTREAM_KEY_FILE === undefined,
      folder: join(dataDir, 'upstreams'),
    },
    limits: { perMinute: Number(variables.RATE_LIMIT_PER_MINUTE ?? 600) },
    outbound: readOutbound(variables),
    examples,
    log: { level: variables.LOG_LEVEL ?? 'info', pretty: variables.LOG_PRETTY === 'true' },
  };
  return { ...settings, notices: [...relaxations(settings), ...proxyNotices(env), ...unknownNames(env)] };
}

function relaxations(settings: Omit<Settings, 'notices'>): string[] {
  const notices: [boolean, string][] = [
    [
      settings.policy.allowList === '*',
      'TOOL_ALLOW_LIST=*: every registered tool, resource and prompt is allowed',
    ],
    [!settings.policy.requireHuman, 'AUTH_REQUIRE_HUMAN=false: workloads may call every tool'],
    [
      settings.revocation.maxAgeSeconds === 0,
      'REVOCATION_MAX_AGE_SECONDS=0: revocations have no effect, and tokens are good until they expire',
    ],
    [
      settings.examples !== undefined,
      'EXAMPLE_TOOLS=true: the example tools are registered, and the database gets their customers table',
    ],
    [settings.limits.perMinute === 0, 'RATE_LIMIT_PER_MINUTE=0: requests are not limited'],
    [
      settings.audit.onFailure === 'allow',
      'AUDIT_ON_FAILURE=allow: calls go on when they cannot be recorded',
    ],
    ...databasesOf(settings.storage.databaseUrl, settings.audit.sinks).map(
      ({ name, url }): [boolean, string] => {
        const relaxation = databaseRelaxation(url);
        return [relaxation !== undefined, `${name}: ${relaxation}`];
      },
    ),
    ...settings.upstreams.list.map(({ name, relaysErrors }): [boolean, string] => [
      relaysErrors,
      `relay_errors of ${name}: what it says of its failures reaches callers word for word`,
    ]),
    ...settings.signals.map(({ issuer, authorization }): [boolean, string] => [
      authorization === undefined,
      `allow_without_authorization of ${issuer}: whoever has one of its signed events can deliver it`,
    ]),
    ...settings.auth.issuers.flatMap((issuer): [boolean, string][] => [
      [
        issuer.maxTokenLifetimeSeconds === 0,
        `AUTH_MAX_TOKEN_LIFETIME_SECONDS=0: tokens of any lifetime are accepted from ${issuer.issuer}`,
      ],
      [
        issuer.tokenTypes?.includes('none') ?? false,
        `AUTH_TOKEN_TYPES holds none: tokens that do not say what they are are accepted from ${issuer.issuer}`,
      ],
      [
        !isSecureUrl(issuer.issuer),
        `the issuer ${issuer.issuer} is an identifier that is never fetched: its keys and metadata come from the configured https addresses`,
      ],
      [
        issuer.introspection?.acceptsMissingAudience ?? false,
        `accept_missing_audience of ${issuer.issuer}: active tokens that name no audience are accepted`,
      ],
      [
        countsGrantsOfAll(issuer),
        `the roles of ${issuer.issuer} count whichever organization grants them: role_organizations limits them`,
      ],
      [
        issuer.acceptsKeyWithoutKid ?? false,
        `accept_key_without_kid of ${issuer.issuer}: its single key verifies tokens that name any key`,
      ],
      [
        issuer.keyMaxAgeSeconds > LONG_KEY_AGE_SECONDS,
        `key_max_age_seconds of ${issuer.issuer} is ${issuer.keyMaxAgeSeconds}: while it is down, keys are believed for that long`,
      ],
    ]),
  ];
  return notices.filter(([inForce]) => inForce).map(([, notice]) => notice);
}

function challengeScopes(text: string): ChallengeScopes {
  const word = text.trim();
  return word === 'allowed' || word === 'minimal' ? word : splitScopes(text);
}

/** Zitadel: an organization that a project is granted to assigns the roles of that project itself. */
function countsGrantsOfAll({ claims: { roles = [] }, roleOrganizations }: IssuerSettings): boolean {
  return roleOrganizations === undefined && roles.some((place) => /^\/?urn:zitadel:/.test(place));
}

function trustProxy(text: string): false | number | readonly string[] {
  if (text === 'false') return false;
  return /^\d{1,2}$/.test(text) ? Number(text) : splitList(text);
}

/** On loopback the three names of the same place are one. */
function withLoopbackNames(publicUrl: string): string[] {
  const url = new URL(publicUrl);
  if (!isLoopbackHost(url.hostname)) return [url.origin];
  const port = url.port ? `:${url.port}` : '';
  const names = new Set([url.hostname, 'localhost', '127.0.0.1', '[::1]']);
  return [...names].map((name) => `${url.protocol}//${name}${port}`);
}

function urlHost(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
