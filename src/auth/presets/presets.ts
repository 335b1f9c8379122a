/** Where each provider's access tokens keep what the gate needs: a table of facts, each with its source. */
import type { Preset } from '../../config/settings.js';

export type Claims = Readonly<Record<string, unknown>>;

export interface PresetFacts {
  /** Accepted `typ` where the configuration says nothing; `none` is a token without `typ`. */
  readonly tokenTypes: readonly string[];
  /** What says whom the token is for. Undefined: nobody. */
  readonly audienceOf: (claims: Claims) => unknown;
  /** Claims that hold scopes; the first one present is read. */
  readonly scopes: readonly string[];
  /** Claims that hold names of roles; those present are united. */
  readonly roles: readonly string[];
  /** Claims that hold ids of roles or groups: read where a role map says what they mean. */
  readonly roleIds: readonly string[];
  /** Roles in claims that the tenant, or the audience, names. */
  readonly moreRoles: (claims: Claims, audience: readonly string[]) => readonly unknown[];
  /** A role claim may be one role, as a text. */
  readonly singleRole: boolean;
  /** Claims that name the client; the first one present is read. */
  readonly clientId: readonly string[];
  readonly tenant: readonly string[];
  /** Claims that hold authentication contexts; those present are united. */
  readonly acr: readonly string[];
  /** The provider's marks of a token with no person behind it, beyond `sub` equal to the client. */
  readonly isWorkload: (claims: Claims) => boolean;
  /** Why a genuine token of the provider is no access token; undefined where it is one. Public. */
  readonly rejectTokenKind: (claims: Claims) => string | undefined;
}

const ID_TOKEN = 'an ID token carries the nonce of its login';

/** RFC 9068 sections 2.1, 2.2 and 2.2.3.1; an ID token carries a nonce (OpenID Connect Core 1.0 section 2). */
const GENERIC: PresetFacts = {
  tokenTypes: ['at+jwt'],
  audienceOf: (claims) => claims.aud,
  scopes: ['scope', 'scp'],
  roles: ['roles'],
  roleIds: [],
  moreRoles: () => [],
  singleRole: false,
  clientId: ['client_id', 'azp'],
  tenant: ['tenant'],
  acr: ['acr'],
  isWorkload: () => false,
  rejectTokenKind: (claims) => (claims.nonce === undefined ? undefined : ID_TOKEN),
};

export const PRESET_FACTS: Readonly<Record<Preset, PresetFacts>> = {
  generic: GENERIC,
  // learn.microsoft.com/entra/identity-platform/access-token-claims-reference. A delegated token always has `scp`.
  // `wids` and `groups` are GUIDs; of somebody in too many groups the token has `_claim_names` in their place, and
  // then they count as none. `acrs` are authentication contexts; the `acr` of version 1.0 says no more than 0 or 1.
  entra: {
    ...GENERIC,
    tokenTypes: ['jwt'],
    scopes: ['scp'],
    roleIds: ['wids', 'groups'],
    clientId: ['azp', 'appid'],
    tenant: ['tid'],
    acr: ['acrs'],
    isWorkload: (claims) => claims.scp === undefined,
  },
  // developer.okta.com/docs/reference/api/oidc, access token. Tokens of a custom authorization server carry no `typ`,
  // and `uid` only where a person is behind them. Those of the org server are opaque by contract.
  okta: {
    ...GENERIC,
    tokenTypes: ['at+jwt', 'none'],
    scopes: ['scp'],
    roles: ['groups'],
    clientId: ['cid'],
    isWorkload: (claims) => claims.uid === undefined,
  },
  // auth0.com/docs/secure/tokens/access-tokens/access-token-profiles. Roles come in a claim that the tenant names by a
  // URL. `permissions` (RBAC) are what the person may, and no scopes: those are what the person let the client have.
  auth0: {
    ...GENERIC,
    tokenTypes: ['at+jwt', 'jwt'],
    scopes: ['scope'],
    roles: ['permissions'],
    moreRoles: (claims) =>
      Object.keys(claims)
        .filter((name) => name.startsWith('https://') && name.endsWith('/roles'))
        .map((name) => claims[name]),
    tenant: ['org_id'],
    isWorkload: (claims) => typeof claims.sub === 'string' && claims.sub.endsWith('@clients'),
  },
  // keycloak.org/docs, server administration, "Audience support" and "Service accounts". The payload has a
  // `typ` of its own, and releases before 24 copied the nonce into access tokens.
  keycloak: {
    ...GENERIC,
    tokenTypes: ['at+jwt', 'jwt'],
    scopes: ['scope'],
    roles: [],
    moreRoles: (claims, audience) => [
      member(claims.realm_access, 'roles'),
      ...audience.map((name) => member(member(claims.resource_access, name), 'roles')),
    ],
    isWorkload: (claims) =>
      claims.clientHost !== undefined ||
      claims.clientAddress !== undefined ||
      (typeof claims.preferred_username === 'string' &&
        claims.preferred_username.startsWith('service-account-')),
    rejectTokenKind: ({ typ }) =>
      typ === undefined || typ === 'Bearer' || typ === 'DPoP'
        ? undefined
        : 'its typ claim is not Bearer or DPoP',
  },
  // docs.aws.amazon.com/cognito, "Understanding the access token". No `typ` in the header; no `aud`, unless the client
  // asked for a resource (RFC 8707): then that is what the token is for. Scopes are prefixed by the resource server.
  cognito: {
    ...GENERIC,
    tokenTypes: ['none'],
    audienceOf: (claims) => (claims.aud === undefined ? claims.client_id : claims.aud),
    scopes: ['scope'],
    roles: ['cognito:groups'],
    clientId: ['client_id'],
    isWorkload: (claims) => claims.username === undefined,
    rejectTokenKind: ({ token_use: use }) => (use === 'access' ? undefined : 'its token_use is not access'),
  },
  // cloud.google.com/docs/authentication/token-types: access tokens are opaque. What a gate can check is a Google-signed
  // ID token made for it (by a service account, or Identity-Aware Proxy): no scopes, and no roles but what a role map
  // makes of `email` or `hd`, of which only a verified address says anything.
  google: {
    ...GENERIC,
    tokenTypes: ['jwt'],
    scopes: [],
    roles: [],
    roleIds: ['email', 'hd'],
    singleRole: true,
    clientId: ['azp'],
    tenant: ['hd'],
    isWorkload: ({ email }) => typeof email !== 'string' || email.endsWith('gserviceaccount.com'),
    rejectTokenKind: (claims) =>
      claims.email !== undefined && claims.email_verified !== true
        ? 'its e-mail address is not verified'
        : GENERIC.rejectTokenKind(claims),
  },
  // docs.pingidentity.com, PingFederate, "Configuring JSON token management": the contract of the token is the
  // administrator's; `typ` is absent unless set there.
  ping: {
    ...GENERIC,
    tokenTypes: ['at+jwt', 'none'],
    roles: ['roles', 'groups'],
    singleRole: true,
  },
};

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
