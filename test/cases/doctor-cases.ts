/** Faults between a provider and this server, with the check, rule and advice that the doctor must print. */
import type { CheckName } from '../../src/cli/doctor/checks.js';
import type { IssuerSettings } from '../../src/config/settings.js';

export interface RuleCase {
  readonly rule: string;
  /** The failing check; `note` for a note without a failure. */
  readonly check: CheckName | 'note';
  /** The reason of that check; unset for notes. */
  readonly reason?: string;
  /** Settings of the configured issuer in addition to the defaults. */
  readonly settings?: Partial<IssuerSettings>;
  /** A text that is not a JWT. */
  readonly token?: string;
  readonly header?: Readonly<Record<string, unknown>>;
  /** Claims in addition to those of a valid token. Times are relative to now. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Result of the signature check or introspection. Default: the token is genuine. */
  readonly answer?:
    | 'token_signature'
    | 'identity_unavailable'
    | 'token_revoked'
    | 'token_type'
    | 'token_claims'
    | 'token_issuer';
  readonly publishedKids?: readonly string[];
  /** Each must appear in the message or in the advice. */
  readonly words: readonly string[];
}

export const ISSUER = 'https://login.example.com';
export const RESOURCE = 'https://gate.example.com/mcp';
/** Seconds since the epoch. */
export const NOW = 1_800_000_000;

const TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47';
const API = '6e74172b-be56-4843-9ff4-e66a39bb12e3';
const UUID = '0f8fad5b-d9cb-469f-a165-70867728950e';
const ENTRA_V1 = `https://sts.windows.net/${TENANT}/`;
const ENTRA_V2 = `https://login.microsoftonline.com/${TENANT}/v2.0`;
const THUMBPRINT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I';
const INTROSPECTION: IssuerSettings['introspection'] = {
  endpoint: undefined,
  clientId: 'gate',
  authentication: { method: 'client_secret_basic', secret: 'a secret' },
  cacheSeconds: 0,
};

const entra = { issuer: ENTRA_V2, preset: 'entra', audience: [API] } as const;
const okta = { issuer: 'https://example.okta.com/oauth2/default', preset: 'okta' } as const;
const auth0 = { issuer: 'https://example.eu.auth0.com/', preset: 'auth0' } as const;
const keycloak = { issuer: 'https://sso.example.com/realms/demo', preset: 'keycloak' } as const;
const cognito = {
  issuer: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_abc',
  preset: 'cognito',
} as const;
const entraPerson = { ver: '2.0', tid: TENANT, azp: 'client', scp: 'read', aud: API };
const JWT = { typ: 'JWT' };
const jwe = (header: object) => `${Buffer.from(JSON.stringify(header)).toString('base64url')}.AA.AA.AA.AA`;

/** The text itself is malformed. */
const FORM: readonly RuleCase[] = [
  ...['$TOKEN', '${ACCESS_TOKEN}', '<token>', 'undefined', 'null', '[objectObject]'].map((token) =>
    form('placeholder', token, ['a variable was empty']),
  ),
  ...[
    'https://sso.example.com/realms/demo/.well-known/openid-configuration',
    'http://127.0.0.1:3001/.well-known/oauth-authorization-server',
    'sso.example.com/.well-known/oauth-authorization-server/realms/demo',
  ].map((token) => form('metadata-address', token, ['address of a metadata document', '"issuer"'])),
  form('address', 'http://localhost:8765/callback?code=abc', ['not a token', 'exchanges its code']),
  form('google-access-token', 'ya29.a0AfH6SMBx', ['opaque', 'made for this server']),
  form('refresh-token', '1//0gRefreshTokenOfGoogle', ['refresh token', 'access_token']),
  form('refresh-token', '0.AXoAv4j5cvGGr0GRqy180BHbR_refresh', ['token endpoint']),
  form('refresh-token', 'v1.MjAyNi0xMS0yMyBhIHJlZnJlc2g', ['refresh token']),
  form('authorization-code', '4/0AX4XfWh-code-of-google', ['authorization code']),
  form('authorization-code', `${UUID}.${UUID}.${UUID}`, ['Exchange it']),
  form('client-secret', 'GOCSPX-abcdefghijklmnop', ['client secret', 'make a new one']),
  form('client-secret', 'abc8Q~abcdefghijklmnopqrstuvwxyzABCDEFGHI', ['make a new one']),
  form('api-key', 'ghp_abcdefghijklmnopqrstuvwxyz', ['API key']),
  form('private-key', '-----BEGINPRIVATEKEY-----', ['PEM']),
  form('identifier', UUID, ['UUID']),
  {
    ...form('cognito-refresh-token', jwe({ alg: 'RSA-OAEP', enc: 'A256GCM' }), ['refresh_token']),
    settings: cognito,
  },
  {
    ...form('auth0-no-audience', jwe({ alg: 'dir', enc: 'A256GCM', iss: auth0.issuer }), [
      'audience=',
      'Default Audience',
      RESOURCE,
    ]),
    settings: auth0,
  },
  { ...form('auth0-no-audience', 'tRg_short_opaque_32_characters_x', ['audience=']), settings: auth0 },
  form('auth0-no-audience', jwe({ alg: 'dir', enc: 'A256GCM', iss: auth0.issuer }), ['audience=']),
  { ...form('encrypted-token', jwe({ alg: 'RSA-OAEP-256', enc: 'A256GCM' }), ['JWE']), settings: auth0 },
  form('encrypted-token', jwe({ alg: 'RSA-OAEP', enc: 'A256GCM' }), ['has no key to read it']),
  form('cut-off', 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0', ['some of it is missing']),
  form('cut-off', 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.AB==', ['without "="']),
  form('opaque-token', 'mF_9.B5f-4.1JqM', ['introspection']),
];

/** The token is of another issuer, or of the configured issuer under another name. */
const ISSUERS: readonly RuleCase[] = [
  issuer('issuer-missing', {}, undefined, ['RFC 9068']),
  issuer('issuer-missing', {}, ['https://login.example.com'], ['does not name its issuer']),
  issuer('google-issuer', { issuer: 'https://accounts.google.com' }, 'accounts.google.com', [
    'made for this server',
  ]),
  issuer('entra-any-tenant', { issuer: 'https://login.microsoftonline.com/common/v2.0' }, ENTRA_V2, [
    'TENANT-ID',
    'AUTH_ISSUER',
  ]),
  issuer('entra-v1-token', entra, ENTRA_V1, [
    'requestedAccessTokenVersion',
    'accessTokenAcceptedVersion',
    ENTRA_V1,
  ]),
  issuer('entra-v2-token', { ...entra, issuer: ENTRA_V1 }, ENTRA_V2, [`AUTH_ISSUER=${ENTRA_V2}`]),
  issuer('entra-tenant', entra, ENTRA_V2.replace(TENANT, UUID), [UUID, TENANT, 'another Entra tenant']),
  issuer('entra-tenant', entra, ENTRA_V1.replace(TENANT, UUID), [UUID]),
  issuer('well-known-address', { issuer: `${ISSUER}/.well-known/openid-configuration` }, ISSUER, [
    'address of a metadata document',
    `AUTH_ISSUER=${ISSUER}`,
  ]),
  issuer(
    'well-known-address',
    { issuer: 'https://sso.example.com/.well-known/oauth-authorization-server/realms/demo' },
    'https://sso.example.com/realms/demo',
    ['AUTH_ISSUER=https://sso.example.com/realms/demo'],
  ),
  issuer('trailing-slash', {}, `${ISSUER}/`, [`AUTH_ISSUER=${ISSUER}/`]),
  issuer('trailing-slash', auth0, auth0.issuer.slice(0, -1), ['slash']),
  issuer('scheme', {}, ISSUER.replace('https', 'http'), ['proxy']),
  issuer(
    'scheme',
    { issuer: 'https://sso.example.com/realms/demo' },
    'http://sso.example.com:8080/realms/demo',
    ['hostname'],
  ),
  issuer('letter-case', keycloak, 'https://sso.example.com/realms/Demo', ['capital']),
  issuer('okta-org-server', okta, 'https://example.okta.com', [
    'custom authorization server',
    '/oauth2/default',
  ]),
  issuer('keycloak-auth-path', keycloak, 'https://sso.example.com/auth/realms/demo', ['/auth']),
  issuer('host-alias', keycloak, 'https://keycloak.internal/realms/demo', [
    'keycloak.internal',
    'sso.example.com',
  ]),
  issuer('host-alias', { issuer: 'http://127.0.0.1:3001' }, 'http://localhost:3001', ['localhost:3001']),
  issuer('host-alias', auth0, 'https://login.acme.example/', ['login.acme.example']),
  issuer('host-alias', { issuer: 'https://sso.example.com' }, 'https://login.example.com', [
    'both are yours',
  ]),
  issuer('other-tenant', okta, 'https://other.okta.com/oauth2/default', [
    'another tenant of Okta',
    'other.okta.com',
  ]),
  issuer('other-tenant', auth0, 'https://other.eu.auth0.com/', ['another tenant of Auth0']),
  issuer('other-issuer', {}, 'https://issuer.stranger.example', ['issuer.stranger.example']),
  issuer('keycloak-realm', keycloak, 'https://sso.example.com/realms/master', ['"master"', '"demo"']),
  issuer('same-host', okta, 'https://example.okta.com/oauth2/aus1', ['/oauth2/aus1']),
  issuer('same-host', cognito, cognito.issuer.replace('_abc', '_xyz'), ['_xyz']),
  issuer('other-issuer', {}, 'https://issuer.stranger.example/x', ['issuer.stranger.example']),
  issuer('other-issuer', {}, keycloak.issuer, ['Keycloak', 'IDENTITY_FILE']),
];

const HEADER: readonly RuleCase[] = [
  {
    rule: 'refresh-token',
    check: 'algorithm',
    reason: 'token_algorithm',
    settings: keycloak,
    header: { alg: 'HS512' },
    claims: { typ: 'Refresh' },
    words: ['refresh token of Keycloak', 'access_token'],
  },
  {
    rule: 'critical-extension',
    check: 'algorithm',
    reason: 'token_malformed',
    header: { crit: ['b64'] },
    words: ['crit'],
  },
  {
    rule: 'symmetric-algorithm',
    check: 'algorithm',
    reason: 'token_algorithm',
    settings: auth0,
    header: { alg: 'HS256' },
    words: ['Signing Algorithm RS256'],
  },
  {
    rule: 'symmetric-algorithm',
    check: 'algorithm',
    reason: 'token_algorithm',
    header: { alg: 'HS256' },
    words: ['shared secret', 'asymmetric'],
  },
  {
    rule: 'no-signature',
    check: 'algorithm',
    reason: 'token_algorithm',
    header: { alg: 'none' },
    words: ['not signed'],
  },
  {
    rule: 'algorithm-not-listed',
    check: 'algorithm',
    reason: 'token_algorithm',
    header: { alg: 'RS512' },
    words: ['AUTH_ALGORITHMS=RS256,PS256,ES256,EdDSA,RS512'],
  },
  {
    rule: 'unknown-algorithm',
    check: 'algorithm',
    reason: 'token_algorithm',
    header: { alg: 'ES256K' },
    words: ['"ES256K"'],
  },
  {
    rule: 'unknown-algorithm',
    check: 'algorithm',
    reason: 'token_algorithm',
    header: { alg: undefined },
    words: ['nothing'],
  },
  type('preset-missing', JWT, { iss: ENTRA_V2, ...entraPerson }, { issuer: ENTRA_V2 }, [
    'AUTH_PRESET=entra',
    'Entra ID',
  ]),
  type('preset-missing', JWT, { realm_access: { roles: [] } }, {}, ['AUTH_PRESET=keycloak']),
  type('preset-missing', { typ: undefined }, { cid: 'c', uid: 'u', scp: ['a'] }, {}, ['AUTH_PRESET=okta']),
  type('preset-missing', { typ: undefined }, { token_use: 'access' }, {}, ['AUTH_PRESET=cognito']),
  type('plain-jwt', JWT, {}, {}, ['AUTH_PRESET', 'AUTH_TOKEN_TYPES=at+jwt,JWT', 'at+jwt']),
  type('plain-jwt', { typ: undefined }, {}, {}, ['AUTH_TOKEN_TYPES=at+jwt,none', 'no typ in its header']),
  type('type-not-accepted', { typ: 'at+jwt' }, entraPerson, entra, ['"at+jwt"', '"jwt"']),
  type('id-token', JWT, { client_id: undefined, nonce: 'n' }, {}, ['ID token', 'nonce']),
  type('other-token', { typ: 'logout+jwt' }, { events: {} }, {}, ['logout token']),
  type('other-token', { typ: 'application/dpop+jwt' }, { htm: 'POST' }, {}, ['DPoP proof']),
];

const SIGNATURE: readonly RuleCase[] = [
  signature('issuer-unavailable', {
    answer: 'identity_unavailable',
    reason: 'identity_unavailable',
    words: ['ECONNREFUSED', '503'],
  }),
  signature('entra-graph-token', {
    settings: entra,
    header: { ...JWT, nonce: 'n' },
    claims: entraPerson,
    words: ['Microsoft Graph', 'api://'],
  }),
  signature('key-unknown', {
    header: { kid: 'old' },
    publishedKids: ['new'],
    words: ['"old"', '"new"', 'withdrawn'],
  }),
  signature('key-unknown', { header: { kid: 7 }, publishedKids: ['new'], words: ['a number'] }),
  signature('key-unknown', {
    header: { kid: 'old' },
    publishedKids: ['new'],
    settings: { jwksUri: 'https://keys.example.com' },
    words: ['AUTH_JWKS_URI'],
  }),
  signature('key-of-another-kind', {
    header: { kid: 'new' },
    publishedKids: ['new'],
    words: ['changed after it was signed'],
  }),
  signature('signature-wrong', { header: { kid: undefined }, publishedKids: ['new'], words: ['"new"'] }),
  signature('signature-wrong', { words: ['another environment'] }),
  introspection('introspection-unavailable', 'identity_unavailable', ['ECONNREFUSED', '503']),
  introspection('not-active', 'token_revoked', ['not active', 'Keycloak']),
  introspection('not-an-access-token-there', 'token_type', ['ID token', 'id_token']),
  introspection('introspection-of-another', 'token_issuer', ['another issuer']),
  introspection('introspection-answer', 'token_claims', ['exp']),
];

const AUDIENCE: readonly RuleCase[] = [
  audience('entra-graph-token', { ...entraPerson, aud: '00000003-0000-0000-c000-000000000000' }, entra, [
    'Graph',
    'Expose an API',
    API,
  ]),
  audience('entra-graph-token', { ...entraPerson, aud: 'https://graph.microsoft.com' }, entra, ['User.Read']),
  audience('refresh-token', { typ: 'Refresh', aud: keycloak.issuer }, keycloak, ['refresh token']),
  audience('id-token', { aud: 'client', azp: 'client', nonce: 'n' }, auth0, ['id_token']),
  audience('id-token', { token_use: 'id', aud: 'client', client_id: undefined }, cognito, ['token_use']),
  audience('id-token', { typ: 'ID', aud: 'client' }, keycloak, ['typ claim']),
  audience('id-token', { aud: 'client', azp: 'client', client_id: undefined }, {}, ['the client itself']),
  audience('id-token', { aud: 'client', client_id: undefined, name: 'Alice', ver: '2.0' }, entra, [
    'names the user',
  ]),
  audience('id-token', { aud: 'client', client_id: undefined }, okta, ['neither a scope nor a client']),
  audience('entra-audience-spelling', { ...entraPerson, aud: `api://${API}` }, entra, [
    `AUTH_AUDIENCE=${API},api://${API}`,
  ]),
  audience(
    'entra-audience-spelling',
    { ...entraPerson, aud: API },
    { ...entra, audience: [`api://${API}`] },
    [API],
  ),
  audience(
    'entra-audience-spelling',
    { ...entraPerson, aud: API },
    { ...entra, audience: [`api://${TENANT}/${API}`] },
    [API],
  ),
  ...(
    [
      ['http://localhost:3000/mcp', 'http://127.0.0.1:3000/mcp'],
      ['http://127.0.0.1:3000/mcp', 'http://localhost:3000/mcp'],
      ['http://[::1]:3000/mcp/', 'http://127.0.0.1:3000/mcp'],
      ['http://127.0.0.1:3000/MCP', 'http://localhost:3000/mcp'],
    ] as const
  ).map(([aud, ours]) =>
    audience('audience-loopback', { aud }, { audience: [ours] }, ['the same machine', 'PUBLIC_URL']),
  ),
  audience(
    'other-audience',
    { aud: 'http://127.0.0.1:3001/mcp' },
    { audience: ['http://localhost:3000/mcp'] },
    ['RFC 8707'],
  ),
  audience('audience-nearly', { aud: `${RESOURCE}/` }, {}, ['nearly the same', `AUTH_AUDIENCE=${RESOURCE}/`]),
  audience('audience-nearly', { aud: RESOURCE.replace('https', 'http') }, {}, ['compared as texts']),
  audience('keycloak-audience-mapper', { aud: 'account' }, keycloak, ['Audience', RESOURCE, 'Add mapper']),
  audience('keycloak-audience-mapper', { aud: undefined }, keycloak, ['no audience']),
  audience('auth0-userinfo-only', { aud: 'https://example.eu.auth0.com/userinfo', scope: 'openid' }, auth0, [
    `audience=${RESOURCE}`,
  ]),
  audience('okta-audience', { aud: 'api://default', cid: 'c', scp: ['a'] }, okta, [
    'Authorization Servers',
    'AUTH_AUDIENCE=api://default',
  ]),
  audience('cognito-audience', { aud: undefined, token_use: 'access' }, cognito, [
    'resource=',
    'AUTH_AUDIENCE=agent',
  ]),
  audience('audience-missing', { aud: undefined }, {}, ['RFC 8707', RESOURCE]),
  audience('audience-is-client', { aud: 'agent' }, {}, ['the client itself']),
  audience('other-audience', { aud: 'x; rm -rf ~' }, {}, ['identifies this server alone: AUTH_AUDIENCE.']),
  audience('other-audience', { aud: 'https://other.example/api' }, {}, [
    'AUTH_AUDIENCE=https://other.example/api',
  ]),
];

const TIMES: readonly RuleCase[] = [
  times('time-not-a-number', 'token_claims', { exp: '1800000300' }, ['exp a text', 'seconds']),
  times('clock-behind', 'token_not_yet_valid', { iat: NOW + 120, exp: NOW + 420 }, [
    '2 min',
    'NTP',
    'AUTH_CLOCK_TOLERANCE_SECONDS',
  ]),
  times('clock-behind', 'token_not_yet_valid', { nbf: NOW + 30 }, ['30 s']),
  times('not-yet-valid', 'token_not_yet_valid', { nbf: NOW + 86_400 }, ['1 d']),
  times('just-expired', 'token_expired', { iat: NOW - 400, exp: NOW - 20 }, [
    '20 s',
    'AUTH_CLOCK_TOLERANCE_SECONDS',
    'NTP',
  ]),
  times('expired', 'token_expired', { iat: NOW - 90_000, exp: NOW - 86_400 }, ['1 d ago', 'valid for 1 h']),
  times('milliseconds', 'token_not_yet_valid', { iat: NOW * 1000 }, ['iat is', 'milliseconds']),
  times('milliseconds', 'token_not_yet_valid', { nbf: NOW * 1000 }, ['nbf is', 'seconds (RFC 7519)']),
  times(
    'milliseconds',
    'token_not_yet_valid',
    { nbf: NOW * 1000, iat: NOW * 1000, exp: (NOW + 300) * 1000 },
    ['exp and nbf and iat are'],
  ),
  lifetime('milliseconds', 'token_lifetime', { exp: (NOW + 300) * 1000 }, {}, ['exp is', 'milliseconds']),
  lifetime('lifetime-too-long', 'token_lifetime', { exp: NOW + 86_390 }, auth0, [
    '86400 seconds',
    '3600',
    '24 hours',
    'AUTH_MAX_TOKEN_LIFETIME_SECONDS=86400',
  ]),
  lifetime('lifetime-too-long', 'token_lifetime', { exp: NOW + 5_000, scp: 'a', azp: 'c', aud: API }, entra, [
    '60 to 90 minutes',
    '6000',
  ]),
  lifetime('lifetime-too-long', 'token_lifetime', { exp: NOW + 5_000 }, {}, ['a shorter time']),
  lifetime('no-iat', 'token_lifetime', { iat: undefined }, {}, ['iat']),
  lifetime('no-lifetime', 'token_claims', { iat: NOW + 4, exp: NOW + 3 }, {}, [
    'times of the token are inconsistent',
  ]),
];

const NATURE: readonly RuleCase[] = [
  tokenKind('id-token', { nonce: 'n' }, {}, ['ID token']),
  tokenKind('id-token', { at_hash: 'h' }, {}, ['at_hash']),
  tokenKind('refresh-token', { typ: 'Offline' }, keycloak, ['"Offline"']),
  tokenKind('other-token', { events: {} }, {}, ['security event']),
  tokenKind('other-token', { htu: 'https://x' }, {}, ['DPoP proof']),
  tokenKind('foreign-mark', { sub_id: {} }, {}, ['a claim that access tokens never have']),
  tokenKind(
    'foreign-mark',
    { token_use: 'other', username: 'alice', client_id: RESOURCE, aud: undefined },
    cognito,
    ['token_use is not access'],
  ),
];

const CLAIMS: readonly RuleCase[] = [
  {
    rule: 'id-token',
    check: 'claims',
    reason: 'token_claims',
    settings: entra,
    header: JWT,
    claims: { aud: API, client_id: undefined, preferred_username: 'x', ver: '2.0', tid: TENANT },
    words: ['ID token'],
  },
  {
    rule: 'preset-other',
    check: 'claims',
    reason: 'token_claims',
    claims: { client_id: undefined, cid: 'c', uid: 'u' },
    words: ['AUTH_PRESET=okta'],
  },
  {
    rule: 'claim-missing',
    check: 'claims',
    reason: 'token_claims',
    claims: { client_id: undefined },
    words: ['client', 'AUTH_PRESET'],
  },
  claim('subject-missing-keycloak', { sub: undefined, azp: 'c' }, keycloak, ['client scope basic']),
  claim('role-as-text', { roles: 'admin' }, {}, ['roles is a text', 'claims']),
  claim('role-as-text', { roles: 'admin,developer' }, {}, ['several roles']),
  claim('role-as-text', { roles: 'admin developer' }, {}, ['roles_separator']),
  claim('role-as-text', { roles: '["admin"]' }, {}, ['several roles']),
  claim('role-as-text', { groups: 'admin', cid: 'c', scp: ['a'] }, okta, ['groups is a text']),
  claim('role-as-text', { realm_access: { roles: 'admin' }, azp: 'c' }, keycloak, [
    'The claim with the roles is a text',
  ]),
  claim('role-odd', { roles: ['admin', 7] }, {}, ['other values than strings']),
  claim('role-odd', { roles: { admin: true } }, { claims: { roles: ['roles'] } }, ['an object']),
  {
    rule: 'subject-missing',
    check: 'claims',
    reason: 'token_claims',
    claims: { sub: undefined },
    words: ['no sub', 'log in a user'],
  },
];

const BINDING: readonly RuleCase[] = [
  binding('no-certificates-here', { cnf: { 'x5t#S256': THUMBPRINT } }, {}, ['TLS_CLIENT_CA_FILE']),
  binding('unknown-binding', { cnf: { kid: 'abc' } }, {}, ['cannot check']),
  { ...binding('unknown-binding', { ...entraPerson, cnf: { kid: 'abc' } }, entra, ['SHR']), header: JWT },
  binding('dpop-without-key', { token_type: 'DPoP' }, {}, ['cnf.jkt']),
  binding('dpop-required', {}, { dpop: 'required' }, ['DPoP', 'dpop: allowed']),
  binding('mtls-required', {}, { mtls: 'required' }, ['RFC 8705', 'mtls: allowed']),
  binding('odd-binding', { cnf: { jkt: 'short' } }, {}, ['43 characters']),
];

const NOTES: readonly RuleCase[] = [
  note('workload', { sub: 'agent', scope: 'a' }, {}, ['human_required', '@AllowWorkload()']),
  { ...note('workload', { ...entraPerson, scp: undefined, roles: ['r'] }, entra, ['.default']), header: JWT },
  {
    ...note('groups-overage', { ...entraPerson, _claim_names: { groups: 'src1' } }, entra, [
      '200',
      'app roles',
    ]),
    header: JWT,
  },
  {
    ...note('groups-overage', { ...entraPerson, hasgroups: true }, entra, ['has no groups']),
    header: JWT,
  },
  {
    ...note(
      'role-map-misses',
      { ...entraPerson, groups: [UUID, API] },
      { ...entra, roleMap: new Map([['x', 'admin']]) },
      ['lacks 2 of the 2', UUID, API, 'role_map'],
    ),
    header: JWT,
  },
  note(
    'role-map-misses',
    { scope: 'a', roles: ['boss', 'worker'] },
    { roleMap: new Map([['boss', 'admin']]) },
    ['lacks 1 of the 2', '"worker"'],
  ),
  note('scope-prefix', { scope: 'https://gate.example.com/read https://gate.example.com/write' }, {}, [
    'scope_prefix: https://gate.example.com/',
  ]),
  note('nothing-granted', {}, {}, ['neither a scope nor a role']),
  note('milliseconds', { scope: 'a', exp: (NOW + 300) * 1000 }, { maxTokenLifetimeSeconds: 0 }, [
    'exp is',
    'never expires',
  ]),
  note('milliseconds', { scope: 'a', auth_time: NOW * 1000 }, {}, ['auth_time is', 'cannot be known']),
  note('large-token', { scope: 'a', groups: 'g'.repeat(12_000) }, {}, ['431', '16 KiB']),
];

export const RULE_CASES: readonly RuleCase[] = [
  ...FORM,
  ...ISSUERS,
  ...HEADER,
  ...SIGNATURE,
  ...AUDIENCE,
  ...TIMES,
  ...NATURE,
  ...CLAIMS,
  ...BINDING,
  ...NOTES,
];

type Rest = Partial<Omit<RuleCase, 'words'>> & Pick<RuleCase, 'words'>;
type Settings = NonNullable<RuleCase['settings']>;
type Claims = NonNullable<RuleCase['claims']>;
type Words = RuleCase['words'];

function form(rule: string, token: string, words: Words): RuleCase {
  return {
    rule,
    check: 'form',
    reason: /^[\w\-.~+/]+=*$/.test(token) ? 'token_malformed' : 'request_malformed',
    token,
    words,
  };
}

function issuer(rule: string, settings: Settings, iss: unknown, words: Words): RuleCase {
  return { rule, check: 'issuer', reason: 'token_issuer', settings, claims: { iss }, words };
}

function type(rule: string, header: object, claims: Claims, settings: Settings, words: Words): RuleCase {
  return { rule, check: 'type', reason: 'token_type', settings, header: { ...header }, claims, words };
}

function signature(rule: string, rest: Rest): RuleCase {
  return { rule, check: 'signature', reason: 'token_signature', answer: 'token_signature', ...rest };
}

function introspection(rule: string, answer: NonNullable<RuleCase['answer']>, words: Words): RuleCase {
  return {
    rule,
    check: 'introspection',
    reason: answer,
    answer,
    settings: { introspection: INTROSPECTION },
    words,
  };
}

function audience(rule: string, claims: Claims, settings: Settings, words: Words): RuleCase {
  return { rule, check: 'audience', reason: 'token_audience', settings, header: JWT, claims, words };
}

function times(rule: string, reason: string, claims: Claims, words: Words): RuleCase {
  return { rule, check: 'times', reason, claims, words };
}

function lifetime(rule: string, reason: string, claims: Claims, settings: Settings, words: Words): RuleCase {
  return { rule, check: 'lifetime', reason, settings, header: JWT, claims, words };
}

function tokenKind(rule: string, claims: Claims, settings: Settings, words: Words): RuleCase {
  return { rule, check: 'kind', reason: 'token_type', settings, claims, words };
}

function binding(rule: string, claims: Claims, settings: Settings, words: Words): RuleCase {
  return { rule, check: 'binding', reason: 'token_binding', settings, claims, words };
}

function claim(rule: string, claims: Claims, settings: Settings, words: Words): RuleCase {
  return { rule, check: 'claims', reason: 'token_claims', settings, header: JWT, claims, words };
}

function note(rule: string, claims: Claims, settings: Settings, words: Words): RuleCase {
  return { rule, check: 'note', settings, claims, words };
}
