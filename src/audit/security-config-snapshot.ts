/** Snapshot of the settings that affect decisions, for the audit log. Contains no secrets. */
import type {
  IssuerSettings,
  Settings,
  TransmitterSettings,
  UpstreamAuthSettings,
  UpstreamSettings,
} from '../config/settings.js';
import { canonicalJson, digestOf } from '../lib/canonical-json.js';
import type { JsonObject } from '../lib/json.js';
import type { Change, RecordedNames } from './record.js';

/** Longer lists of names are recorded only by count and digest. */
const MAX_NAMES = 100;

/**
 * @param rules access rules by allow-list name of the target.
 * @param policyDigest digest of the policy; null without one.
 * @param challenged scopes of the first challenge under this policy.
 */
export function securityConfigSnapshot(
  settings: Settings,
  rules: JsonObject,
  policyDigest: string | null,
  challenged: readonly string[],
): JsonObject {
  const { server, auth, policy, audit, limits, signals } = settings;
  const allowList = policy.allowList === '*' ? ['*'] : [...policy.allowList].sort();
  return {
    resource: server.resource,
    issuers: auth.issuers.map(({ issuer }) => issuer),
    identity_sha256: digestOf(asJson(auth.issuers.map(deciding))),
    dpop_nonces: auth.dpopNonceSecret !== undefined,
    client_certificate_header: auth.clientCertificateHeader?.name ?? null,
    tls: server.tls ? (server.tls.clientCaFile === undefined ? 'server' : 'mutual') : null,
    require_human: policy.requireHuman,
    denial_detail: policy.denialDetail,
    allow_list: recordedNames(allowList),
    challenge_scopes: {
      setting: typeof policy.challengeScopes === 'string' ? policy.challengeScopes : 'list',
      scopes: recordedNames(challenged),
    },
    rules_sha256: digestOf(asJson(rules)),
    policy_sha256: policyDigest,
    revocation_max_age_seconds: settings.revocation.maxAgeSeconds,
    upstreams_sha256:
      settings.upstreams.list.length > 0 ? digestOf(asJson(settings.upstreams.list.map(mounted))) : null,
    signals_sha256: signals.length > 0 ? digestOf(asJson(signals.map(listenedTo))) : null,
    rate_limit_per_minute: limits.perMinute,
    allowed_origins: server.allowedOrigins,
    allowed_hosts: server.allowedHosts,
    trust_proxy: server.trustProxy,
    trust_proxy_headers: server.proxyHeaders,
    audit_on_failure: audit.onFailure,
    audit_pseudonyms: audit.pseudonymKey !== undefined,
  };
}

/** The names; above {@link MAX_NAMES}, their count and digest. */
export function recordedNames(names: readonly string[]): RecordedNames {
  return names.length > MAX_NAMES ? { names: names.length, sha256: digestOf(names) } : names;
}

export function challengeScopesChange({
  from,
  to,
}: {
  from: readonly string[];
  to: readonly string[];
}): Change {
  return { what: 'challenge_scopes', from: recordedNames(from), to: recordedNames(to) };
}

/** Sorted names of changed members; null without a previous snapshot. */
export function changedMembers(before: JsonObject | undefined, now: JsonObject): string[] | null {
  if (!before) return null;
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((name) => canonicalJson(before[name] ?? null) !== canonicalJson(now[name] ?? null))
    .sort();
}

/** Omits the introspection credentials, which do not affect decisions. */
function deciding({ introspection, roleMap, ...rest }: IssuerSettings): object {
  return {
    ...rest,
    role_map: roleMap ? [...roleMap] : null,
    introspection: introspection
      ? { endpoint: introspection.endpoint, client: introspection.clientId }
      : null,
  };
}

function listenedTo({ authorization, events, ...rest }: TransmitterSettings): object {
  return { ...rest, events: [...events].sort(), authorization: authorization !== undefined };
}

/** Omits secrets. */
function mounted(upstream: UpstreamSettings): object {
  if (upstream.transport === 'stdio') {
    const { command, environment, secrets, ...rest } = upstream;
    const withoutSecrets = (text: string) => (secrets.includes(text) ? '[secret]' : text);
    return {
      ...rest,
      command: command.map(withoutSecrets),
      environment: Object.fromEntries(
        Object.entries(environment).map(([name, text]) => [name, withoutSecrets(text)]),
      ),
    };
  }
  const { auth, ...rest } = upstream;
  return { ...rest, auth: auth ? authOf(auth) : null };
}

function authOf(auth: UpstreamAuthSettings): object {
  if (auth.method === 'secret') return { method: auth.method, header: auth.header };
  const { authentication, ...rest } = auth;
  const grant = 'grant' in auth ? { ...auth.grant, authentication: auth.grant.authentication.method } : null;
  return { ...rest, authentication: authentication.method, grant };
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
