/** Claims of each provider's access tokens, as a table of facts with sources. */
import type { Preset } from '../../config/settings.js';

export type Claims = Readonly<Record<string, unknown>>;

export interface PresetFacts {
  /** Accepted `typ` by default; `none` accepts a token without `typ`. */
  readonly tokenTypes: readonly string[];
  /** Audience of the token. Undefined: no audience. */
  readonly audienceOf: (claims: Claims) => unknown;
  /** Claims with scopes; the first present one counts. */
  readonly scopes: readonly string[];
  /** Claims with role names; all present ones are united. */
  readonly roles: readonly string[];
  /** Claims with ids of roles or groups; read only with a role map. */
  readonly roleIds: readonly string[];
  /** Roles in claims whose names depend on the tenant or the audience. */
  readonly moreRoles: (claims: Claims, audience: readonly string[]) => readonly unknown[];
  /** True if a role claim may be a single string. */
  readonly singleRole: boolean;
  /** Claims with the client id; the first present one counts. */
  readonly clientId: readonly string[];
  readonly tenant: readonly string[];
  /** Claims with authentication contexts; all present ones are united. */
  readonly acr: readonly string[];
  /** Marks of a workload token, beyond `sub` equal to the client. */
  readonly isWorkload: (claims: Claims) => boolean;
  /** Public reason why a genuine token is not an access token. Undefined for an access token. */
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
  // `wids` and `groups` are GUIDs. With too many groups the token has `_claim_names` instead, and the groups count as
  // empty. `acrs` are authentication contexts; `acr` of version 1.0 is only 0 or 1.
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
  // developer.okta.com/docs/reference/api/oidc, access token. Tokens of a custom authorization server have no `typ`,
  // and `uid` only for a user. Tokens of the org server are opaque by contract.
  okta: {
    ...GENERIC,
    tokenTypes: ['at+jwt', 'none'],
    scopes: ['scp'],
    roles: ['groups'],
    clientId: ['cid'],
    isWorkload: (claims) => claims.uid === undefined,
  },
  // auth0.com/docs/secure/tokens/access-tokens/access-token-profiles. Roles are in a claim that the tenant names by a
  // URL. `permissions` (RBAC) are rights of the user, not scopes of the client.
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
  // keycloak.org/docs, server administration, "Audience support" and "Service accounts". The payload has its own
  // `typ`; releases before 24 copied the nonce into access tokens.
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
  // docs.aws.amazon.com/cognito, "Understanding the access token". No `typ` in the header. `aud` only if the client
  // requested a resource (RFC 8707). The resource server prefixes scopes.
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
  // cloud.google.com/docs/authentication/token-types: access tokens are opaque. The gateway verifies Google-signed ID
  // tokens for its audience (service account, Identity-Aware Proxy). They have no scopes; a role map can derive roles
  // from `email` or `hd`, of verified addresses only.
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
  // docs.pingidentity.com, PingFederate, "Configuring JSON token management": the administrator defines the claims;
  // `typ` is absent by default.
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
