/** Converts environment variables to typed settings or reports all faults. Pure. */
import { plainToInstance } from 'class-transformer';
import { join, resolve } from 'node:path';
import { withoutRootDot } from '../lib/root-dot.js';
import type { ProxyHeaders } from '../core/sender.js';
import { addressesOf, withLoopbackNames } from './addresses.js';
import { databaseUrlFaults, namesSslMode } from './database-url.js';
import { nameFaults, unknownNames } from './foreign-variables.js';
import { ISSUER_DEFAULTS, plainType, readIdentityFile, type IssuersSettings } from './identity-file.js';
import { proxyNotices, readOutbound } from './proxies.js';
import { databasesOf, relaxations } from './relaxations.js';
import { splitList, splitScopes } from './rules.js';
import type {
  AuditSettings,
  AuthSettings,
  ChallengeScopes,
  ExampleSettings,
  IssuerSettings,
  Preset,
  Settings,
  TracingSettings,
  TransmitterSettings,
  UpstreamSettings,
} from './settings.js';
import { readSignalsFile } from './signals-file.js';
import { readSinksFile } from './sinks-file.js';
import { readUpstreamsFile } from './upstreams-file.js';
import {
  certificateFaults,
  crossFaults,
  emptyFaults,
  foreignFaults,
  formFaults,
  givenIn,
} from './variable-faults.js';
import { readExamples, readSecret, readTracing, secretUrl } from './variable-files.js';
import { type Environment, Variables } from './variables.js';
import type { ReadFile } from './yaml-file.js';

export type { Environment };

/** Faulty variables with causes, without their values. */
export class ConfigurationError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(
      `The configuration has ${faults.length} fault(s):\n${faults.map((fault) => `  - ${fault}`).join('\n')}`,
    );
    this.name = 'ConfigurationError';
  }
}

const MIB = 1024 * 1024;

/**
 * @param env the variables. Only the files that they name are read.
 * @throws ConfigurationError with every fault; each names its variable.
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
  // Read in any case, to report all faults at once.
  const file = variables.IDENTITY_FILE?.trim();
  const resource = sound ? addressesOf(variables).resource : 'unknown';
  const named = file ? readIdentityFile({ path: resolve(file), resource, read }, faults) : undefined;
  // Set by production environments and by the image.
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

/** Path of the audit log, for commands that only read it. */
export function auditFileOf({ AUDIT_FILE: file, DATA_DIR: folder }: Environment): string {
  return resolve(file ?? join(resolve(folder ?? './data'), 'audit.jsonl'));
}

/** Path of its signing key. */
export function auditKeyFileOf({ AUDIT_KEY_FILE: file, DATA_DIR: folder }: Environment): string {
  return resolve(file ?? join(resolve(folder ?? './data'), 'audit-key.pem'));
}

/** One issuer from AUTH_ variables. */
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

/** Content of the files that variables name. */
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

function challengeScopes(text: string): ChallengeScopes {
  const word = text.trim();
  return word === 'allowed' || word === 'minimal' ? word : splitScopes(text);
}

function trustProxy(text: string): false | number | readonly string[] {
  if (text === 'false') return false;
  return /^\d{1,2}$/.test(text) ? Number(text) : splitList(text);
}
