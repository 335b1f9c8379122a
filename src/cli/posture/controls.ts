/** Active and missing controls of a configuration, with remedies. Pure. */
import type { Settings } from '../../config/settings.js';
import { isLoopbackHost } from '../../config/rules.js';

/** Levels of the security assurance profiles proposed for CoSAI's MCP security paper. */
export const LEVELS = ['L1', 'L2', 'L3', 'L4'] as const;
export type Level = (typeof LEVELS)[number];

export const LEVEL_NAMES: Readonly<Record<Level, string>> = {
  L1: 'sandbox',
  L2: 'internal',
  L3: 'production',
  L4: 'regulated',
};

/** Areas of those profiles that concern a server. */
export const AREAS = [
  'identity and authentication',
  'authorization and delegation',
  'transport and network',
  'logging and observability',
  'operation',
] as const;

/** `relaxed`: active, but weakened by a setting. */
export type State = 'on' | 'relaxed' | 'off';

export interface Control {
  readonly area: (typeof AREAS)[number];
  readonly name: string;
  readonly state: State;
  /** First level that requires it. */
  readonly level: Level;
  /** Risks of the OWASP MCP Top 10 that it addresses. */
  readonly against: readonly string[];
  /** Setting that activates it; empty if active. */
  readonly cure: string;
}

type Draft = Omit<Control, 'area' | 'cure'> & { readonly cure?: string };

export function controlsOf(settings: Settings): Control[] {
  const areas: readonly [Control['area'], readonly Draft[]][] = [
    ['identity and authentication', identity(settings)],
    ['authorization and delegation', authorization(settings)],
    ['transport and network', transport(settings)],
    ['logging and observability', logging(settings)],
    ['operation', operation(settings)],
  ];
  return areas.flatMap(([area, drafts]) =>
    drafts.map((draft) => ({ ...draft, area, cure: draft.state === 'on' ? '' : (draft.cure ?? '') })),
  );
}

/** Highest level with all controls of it and of lower levels; undefined below the first. */
export function levelOf(controls: readonly Control[]): Level | undefined {
  return LEVELS.filter((level) => missingFor(controls, level).length === 0).at(-1);
}

/** Controls that the level requires and the configuration lacks. */
export function missingFor(controls: readonly Control[], level: Level): Control[] {
  return controls.filter((one) => one.state !== 'on' && LEVELS.indexOf(one.level) <= LEVELS.indexOf(level));
}

const either = (holds: boolean, otherwise: State = 'off'): State => (holds ? 'on' : otherwise);

function identity({ auth, policy }: Settings): Draft[] {
  const { issuers } = auth;
  const every = (holds: (issuer: Settings['auth']['issuers'][number]) => boolean) => issuers.every(holds);
  const isRemote = every(({ issuer }) => !isLoopbackHost(new URL(issuer).hostname));
  return [
    { name: 'verified access token on every call', state: 'on', level: 'L1', against: ['MCP07'] },
    {
      name: 'audience, issuer and asymmetric signature of every token checked',
      state: 'on',
      level: 'L1',
      against: ['MCP01', 'MCP07'],
    },
    {
      name: 'user required for every call, except to tools that are declared for workloads',
      state: either(policy.requireHuman, 'relaxed'),
      level: 'L2',
      against: ['MCP02', 'MCP07'],
      cure: 'AUTH_REQUIRE_HUMAN=true',
    },
    {
      name: 'token lifetime of at most one hour',
      state: either(
        every(({ maxTokenLifetimeSeconds: most }) => most > 0 && most <= 3600),
        'relaxed',
      ),
      level: 'L2',
      against: ['MCP01'],
      cure: 'AUTH_MAX_TOKEN_LIFETIME_SECONDS, or max_token_lifetime_seconds of the issuer: 3600 or less',
    },
    {
      name: 'access token type (typ) required',
      state: either(
        every(({ tokenTypes }) => !tokenTypes?.includes('none')),
        'relaxed',
      ),
      level: 'L2',
      against: ['MCP07'],
      cure: 'AUTH_TOKEN_TYPES, or token_types of the issuer: without none',
    },
    {
      name: 'clock tolerance of at most 30 seconds',
      state: either(
        every(({ clockToleranceSeconds: seconds }) => seconds <= 30),
        'relaxed',
      ),
      level: 'L3',
      against: ['MCP01'],
      cure: 'AUTH_CLOCK_TOLERANCE_SECONDS, or clock_tolerance_seconds of the issuer: 30 or less',
    },
    {
      name: 'keys of an unavailable issuer expire after at most one day',
      state: either(
        every(({ keyMaxAgeSeconds: seconds }) => seconds <= 86_400),
        'relaxed',
      ),
      level: 'L3',
      against: ['MCP07'],
      cure: 'key_max_age_seconds of the issuer: 86400 or less',
    },
    {
      name: 'no issuer on loopback, and demo issuers rejected',
      state: either(isRemote && auth.refusesDemoIssuer),
      level: 'L3',
      against: ['MCP07', 'MCP09'],
      cure: isRemote
        ? 'NODE_ENV=production'
        : 'AUTH_ISSUER: the identity provider of your company; NODE_ENV=production',
    },
    {
      name: 'sender-constrained tokens (bound to a key or certificate)',
      state: either(every(({ dpop, mtls }) => dpop === 'required' || mtls === 'required')),
      level: 'L4',
      against: ['MCP01'],
      cure: 'IDENTITY_FILE: dpop: required, or mtls: required, for every issuer',
    },
  ];
}

function authorization({ policy, revocation, signals }: Settings): Draft[] {
  return [
    {
      name: 'access rule with scopes and roles for every tool',
      state: 'on',
      level: 'L1',
      against: ['MCP02', 'MCP07'],
    },
    {
      name: 'allow-list of tools by name',
      state: either(policy.allowList !== '*', 'relaxed'),
      level: 'L2',
      against: ['MCP02', 'MCP09'],
      cure: 'TOOL_ALLOW_LIST: names in place of *',
    },
    {
      name: 'revocation of tokens within a second',
      state: either(revocation.maxAgeSeconds > 0),
      level: 'L3',
      against: ['MCP01', 'MCP07'],
      cure: 'REVOCATION_MAX_AGE_SECONDS: more than 0',
    },
    {
      name: 'authorization of security event transmitters',
      state: either(
        signals.every((one) => one.authorization !== undefined),
        'relaxed',
      ),
      level: 'L3',
      against: ['MCP07'],
      cure: 'SIGNALS_FILE: an authorization for each transmitter, in place of allow_without_authorization',
    },
    {
      name: 'revocation by the identity provider (shared signals)',
      state: either(signals.length > 0),
      level: 'L4',
      against: ['MCP01', 'MCP07'],
      cure: 'SIGNALS_FILE',
    },
    {
      name: 'operator policy (conditions, limits, step-up)',
      state: either(policy.directory !== undefined),
      level: 'L4',
      against: ['MCP02', 'MCP06'],
      cure: 'POLICY_DIR',
    },
  ];
}

function transport({ server, limits }: Settings): Draft[] {
  const { publicUrl, tls, trustProxy } = server;
  return [
    { name: 'Host and Origin checked against lists', state: 'on', level: 'L1', against: ['MCP07'] },
    {
      name: 'request rate limit for each caller',
      state: either(limits.perMinute > 0),
      level: 'L2',
      against: ['MCP07'],
      cure: 'RATE_LIMIT_PER_MINUTE: more than 0',
    },
    {
      name: 'https required for clients',
      state: either(publicUrl.startsWith('https:')),
      level: 'L3',
      against: ['MCP01'],
      cure: 'PUBLIC_URL: https, with TLS_CERT_FILE and TLS_KEY_FILE, or TRUST_PROXY',
    },
    {
      name: 'proxies trusted by address',
      state: either(typeof trustProxy !== 'number', 'relaxed'),
      level: 'L3',
      against: ['MCP08'],
      cure: 'TRUST_PROXY: addresses in place of a number of hops',
    },
    {
      name: 'TLS terminated in this process',
      state: either(tls !== undefined),
      level: 'L4',
      against: ['MCP01'],
      cure: 'TLS_CERT_FILE and TLS_KEY_FILE',
    },
  ];
}

function logging({ audit, operations }: Settings): Draft[] {
  const isElsewhere = audit.sinks.some(({ type }) => type !== 'file' && type !== 'stdout');
  return [
    {
      name: 'decision and delegation chain recorded before the tool starts',
      state: 'on',
      level: 'L1',
      against: ['MCP08'],
    },
    { name: 'hash-chained and signed audit records', state: 'on', level: 'L1', against: ['MCP08'] },
    {
      name: 'calls without an audit record rejected',
      state: either(audit.onFailure === 'deny', 'relaxed'),
      level: 'L2',
      against: ['MCP08'],
      cure: 'AUDIT_ON_FAILURE=deny',
    },
    {
      name: 'audit records exported to another machine',
      state: either(isElsewhere),
      level: 'L3',
      against: ['MCP08'],
      cure: 'AUDIT_SINKS_FILE: an https, syslog or postgres sink',
    },
    {
      name: 'metrics for monitoring and alerts',
      state: either(operations.metrics !== undefined),
      level: 'L3',
      against: ['MCP08'],
      cure: 'METRICS_PORT',
    },
    {
      name: 'signing key of the audit log supplied from outside',
      state: either(!audit.makesKey),
      level: 'L4',
      against: ['MCP08'],
      cure: 'AUDIT_KEY_FILE',
    },
    {
      name: 'traces across services',
      state: either(operations.tracing !== undefined),
      level: 'L4',
      against: ['MCP08'],
      cure: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    },
  ];
}

function operation({ storage, shutdown }: Settings): Draft[] {
  return [
    {
      name: 'revocations, limits and proofs shared by all instances (PostgreSQL)',
      state: either(storage.databaseUrl !== undefined),
      level: 'L3',
      against: ['MCP01', 'MCP07'],
      cure: 'DATABASE_URL',
    },
    {
      name: 'readiness off before an instance stops',
      state: either(shutdown.drainSeconds > 0, 'relaxed'),
      level: 'L3',
      against: [],
      cure: 'SHUTDOWN_DRAIN_SECONDS: more than 0',
    },
  ];
}
