/** Where each provider's access tokens keep what the gate needs: a table of facts, each with its source. */
import type { Preset } from '../config/settings.js';

export type Claims = Readonly<Record<string, unknown>>;

export interface PresetFacts {
  /** Accepted `typ` where `AUTH_TOKEN_TYPES` says nothing; `none` is a token without `typ`. */
  readonly tokenTypes: readonly string[];
  /** Claims that hold scopes; the first one present is read. */
  readonly scopes: readonly string[];
  /** Every place that holds roles; those present are united. */
  readonly roles: (claims: Claims, audience: readonly string[]) => readonly unknown[];
  /** Claims that name the client; the first one present is read. */
  readonly clientId: readonly string[];
  readonly tenant: string;
  /** The provider's marks of a token with no person behind it, beyond `sub` equal to the client. */
  readonly isWorkload: (claims: Claims) => boolean;
  /** The provider's marks of something that is no access token. */
  readonly isForeign: (claims: Claims) => boolean;
}

const never = () => false;
/** An ID token carries the nonce of its login (OpenID Connect Core 1.0 section 2). */
const hasNonce = (claims: Claims) => claims.nonce !== undefined;

export const PRESET_FACTS: Readonly<Record<Preset, PresetFacts>> = {
  // RFC 9068 sections 2.1, 2.2 and 2.2.3.1.
  generic: {
    tokenTypes: ['at+jwt'],
    scopes: ['scope', 'scp'],
    roles: (claims) => [claims.roles],
    clientId: ['client_id', 'azp'],
    tenant: 'tenant',
    isWorkload: never,
    isForeign: hasNonce,
  },
  // learn.microsoft.com/entra/identity-platform/access-token-claims-reference. A delegated token always has `scp`.
  entra: {
    tokenTypes: ['jwt'],
    scopes: ['scp'],
    roles: (claims) => [claims.roles],
    clientId: ['azp', 'appid'],
    tenant: 'tid',
    isWorkload: (claims) => claims.scp === undefined,
    isForeign: hasNonce,
  },
  // developer.okta.com/docs/reference/api/oidc, access token. Tokens of a custom authorization server carry no `typ`,
  // and `uid` only where a person is behind them.
  okta: {
    tokenTypes: ['at+jwt', 'none'],
    scopes: ['scp'],
    roles: (claims) => [claims.groups],
    clientId: ['cid'],
    tenant: 'tenant',
    isWorkload: (claims) => claims.uid === undefined,
    isForeign: hasNonce,
  },
  // auth0.com/docs/secure/tokens/access-tokens/access-token-profiles. Roles come in a claim that the tenant names by a URL.
  auth0: {
    tokenTypes: ['at+jwt', 'jwt'],
    scopes: ['scope'],
    roles: (claims) =>
      Object.keys(claims)
        .filter((name) => name.startsWith('https://') && name.endsWith('/roles'))
        .map((name) => claims[name]),
    clientId: ['client_id', 'azp'],
    tenant: 'org_id',
    isWorkload: (claims) => typeof claims.sub === 'string' && claims.sub.endsWith('@clients'),
    isForeign: hasNonce,
  },
  // keycloak.org/docs, server administration, "Audience support" and "Service accounts". The payload has a
  // `typ` of its own, and releases before 24 copied the nonce into access tokens.
  keycloak: {
    tokenTypes: ['at+jwt', 'jwt'],
    scopes: ['scope'],
    roles: (claims, audience) => [
      member(claims.realm_access, 'roles'),
      ...audience.map((name) => member(member(claims.resource_access, name), 'roles')),
    ],
    clientId: ['client_id', 'azp'],
    tenant: 'tenant',
    isWorkload: (claims) =>
      claims.clientHost !== undefined ||
      claims.clientAddress !== undefined ||
      (typeof claims.preferred_username === 'string' &&
        claims.preferred_username.startsWith('service-account-')),
    isForeign: (claims) => claims.typ !== undefined && claims.typ !== 'Bearer',
  },
};

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
