/** Access tokens and other tokens in the form of each provider. The tests add `iss`, `iat` and `exp`. */

export interface ProviderCase {
  readonly name: string;
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  /** Expected members of the recorded principal, or the reason of the rejection. */
  readonly expected: Readonly<Record<string, unknown>> | string;
  /** Settings of the issuer in `IDENTITY_FILE` in addition to preset and audience. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface Provider {
  readonly preset: string;
  readonly alg: string;
  /** The path of the issuer URL. */
  readonly issuerPath: string;
  readonly audience: string;
  readonly cases: readonly ProviderCase[];
}

const ENTRA_API = '6e74172b-be56-4843-9ff4-e66a39bb12e3';
const ENTRA_TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47';
const ENTRA_GROUP = '5581e43f-6096-41d4-8ffa-04e560bab39d';
const ENTRA_WID = '62e90394-69f5-4237-9190-012177145e10';
const entraPerson = {
  aud: ENTRA_API,
  ver: '2.0',
  azp: '1950a258-227b-4e31-a9cf-717495945fc2',
  azpacr: '1',
  name: 'Alice',
  oid: '690222be-ff1a-4d56-abd1-7e4f7d38e474',
  preferred_username: 'alice@example.com',
  scp: 'probe other',
  roles: ['admin'],
  sub: 'HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ',
  tid: ENTRA_TENANT,
  uti: 'fqiBqXLPj0eQa82S-IYFAA',
};
const entraApp = {
  ...entraPerson,
  idtyp: 'app',
  scp: undefined,
  roles: ['probe'],
  sub: entraPerson.oid,
  name: undefined,
  preferred_username: undefined,
};

const oktaPerson = {
  ver: 1,
  jti: 'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE',
  aud: 'api://default',
  cid: '0oa2hl2inow5UqcWA0h7',
  uid: '00ujmkLgagxeRrAg20g3',
  scp: ['openid', 'probe'],
  auth_time: 1700000000,
  sub: 'alice@example.com',
  groups: ['Everyone', 'admin'],
};

const auth0Person = {
  sub: 'auth0|5f7c8ec7c33c6c004bbafe82',
  aud: ['https://api.example.com/', 'https://tenant.example.com/userinfo'],
  azp: 'my_client_id',
  scope: 'openid profile probe',
  org_id: 'org_9ybsU1dN2dKfDkBi',
  'https://example.com/roles': ['admin'],
};

const keycloakPerson = {
  jti: 'onrtac:2b6e1f5c',
  aud: ['mcp-server', 'account'],
  sub: 'f1f0d8f8-9a2c-4b1e-9a55-3f3a3f5d4b10',
  typ: 'Bearer',
  azp: 'agent-client',
  sid: 'c6b1b1a3',
  acr: '1',
  'allowed-origins': ['*'],
  realm_access: { roles: ['offline_access', 'uma_authorization', 'staff'] },
  resource_access: { 'mcp-server': { roles: ['admin'] }, account: { roles: ['manage-account'] } },
  scope: 'openid email probe',
  preferred_username: 'alice',
};

const cognitoPerson = {
  sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
  'cognito:groups': ['admin'],
  client_id: 'xxxxxxxxxxxxexample',
  origin_jti: 'aaaaaaaa-0000',
  event_id: '64f513be-32db-42b0-b78e-b02127b4f463',
  token_use: 'access',
  scope: 'https://gate.example.com/mcp/probe openid',
  auth_time: 1676312777,
  jti: 'aaaaaaaa-1111',
  username: 'alice',
};
const COGNITO = { scope_prefix: 'https://gate.example.com/mcp/' };

const googleService = {
  aud: 'https://gate.example.com/mcp',
  azp: '107517467455664443765',
  email: 'agent@project.iam.gserviceaccount.com',
  email_verified: true,
  sub: '107517467455664443765',
};
const googlePerson = {
  aud: 'https://gate.example.com/mcp',
  azp: '618104708054.apps.googleusercontent.com',
  hd: 'example.com',
  email: 'alice@example.com',
  email_verified: true,
  sub: '110169484474386276334',
};

const pingPerson = {
  scope: 'openid probe',
  client_id: 'agent',
  sub: 'alice',
  aud: 'https://gate.example.com/mcp',
  groups: ['admin', 'staff'],
};

export const PROVIDERS: readonly Provider[] = [
  {
    preset: 'entra',
    alg: 'RS256',
    issuerPath: `/${ENTRA_TENANT}/v2.0`,
    audience: ENTRA_API,
    cases: [
      {
        name: 'a user',
        header: { typ: 'JWT' },
        claims: entraPerson,
        expected: {
          kind: 'human',
          sub: entraPerson.sub,
          client_id: entraPerson.azp,
          tenant: ENTRA_TENANT,
          scopes: ['probe', 'other'],
          roles: ['admin'],
        },
      },
      {
        name: 'a user, version 1.0',
        header: { typ: 'JWT', x5t: 'abc' },
        claims: { ...entraPerson, ver: '1.0', azp: undefined, appid: 'client-1' },
        expected: { kind: 'human', client_id: 'client-1' },
      },
      { name: 'an application', header: { typ: 'JWT' }, claims: entraApp, expected: 'human_required' },
      {
        name: 'an application without idtyp, which is optional',
        header: { typ: 'JWT' },
        claims: { ...entraApp, idtyp: undefined },
        expected: 'human_required',
      },
      {
        name: 'an application with its role among the scopes',
        header: { typ: 'JWT' },
        claims: { ...entraApp, scope: 'probe' },
        expected: 'human_required',
      },
      {
        name: 'an ID token',
        header: { typ: 'JWT' },
        claims: { ...entraPerson, azp: undefined, scp: undefined, nonce: '12345' },
        expected: 'token_type',
      },
      {
        name: 'an ID token without a nonce',
        header: { typ: 'JWT' },
        claims: { ...entraPerson, azp: undefined, scp: undefined },
        expected: 'token_claims',
      },
      {
        name: 'for Microsoft Graph',
        header: { typ: 'JWT', nonce: 'x' },
        claims: { ...entraPerson, aud: '00000003-0000-0000-c000-000000000000' },
        expected: 'token_audience',
      },
      {
        name: 'a token of another tenant',
        header: { typ: 'JWT' },
        claims: { ...entraPerson, iss: 'https://login.microsoftonline.com/other/v2.0' },
        expected: 'token_issuer',
      },
      {
        name: 'a proof-of-possession token',
        header: { typ: 'JWT' },
        claims: { ...entraPerson, cnf: { kid: 'abc' } },
        expected: 'token_binding',
      },
      { name: 'an unexpected typ', header: { typ: 'at+jwt' }, claims: entraPerson, expected: 'token_type' },
      {
        name: 'groups and directory roles without a role map are ignored ids',
        header: { typ: 'JWT' },
        claims: { ...entraPerson, groups: [ENTRA_GROUP], wids: [ENTRA_WID] },
        expected: { roles: ['admin'] },
      },
      {
        name: 'groups and directory roles with a role map',
        header: { typ: 'JWT' },
        claims: { ...entraPerson, groups: [ENTRA_GROUP, 'another'], wids: [ENTRA_WID] },
        settings: { role_map: { [ENTRA_GROUP]: 'reader', [ENTRA_WID]: 'owner' } },
        expected: { roles: ['owner', 'reader'] },
      },
      {
        name: 'a token without groups because of their number',
        header: { typ: 'JWT' },
        claims: {
          ...entraPerson,
          roles: undefined,
          _claim_names: { groups: 'src1' },
          _claim_sources: { src1: { endpoint: 'https://graph.microsoft.com/v1.0/users/1/getMemberObjects' } },
        },
        settings: { role_map: { [ENTRA_GROUP]: 'admin' } },
        expected: { roles: [], scopes: ['probe', 'other'] },
      },
      {
        name: 'a version 1.0 token with an application URI as the audience',
        header: { typ: 'JWT', x5t: 'abc' },
        claims: { ...entraPerson, aud: `api://${ENTRA_API}`, ver: '1.0', azp: undefined, appid: 'client-1' },
        settings: { audience: [ENTRA_API, `api://${ENTRA_API}`] },
        expected: { kind: 'human', client_id: 'client-1' },
      },
      {
        name: 'an application URI when only the id is expected',
        header: { typ: 'JWT' },
        claims: { ...entraPerson, aud: `api://${ENTRA_API}` },
        expected: 'token_audience',
      },
      {
        name: 'a token with an authentication context',
        header: { typ: 'JWT' },
        claims: { ...entraPerson, acrs: ['c1'], auth_time: 1700000000 },
        expected: { acr: ['c1'], auth_time: 1700000000 },
      },
    ],
  },
  {
    preset: 'okta',
    alg: 'RS256',
    issuerPath: '/oauth2/default',
    audience: 'api://default',
    cases: [
      {
        name: 'a user',
        header: {},
        claims: oktaPerson,
        expected: {
          kind: 'human',
          sub: 'alice@example.com',
          client_id: oktaPerson.cid,
          scopes: ['openid', 'probe'],
          roles: ['Everyone', 'admin'],
          token_id: oktaPerson.jti,
        },
      },
      {
        name: 'a service',
        header: {},
        claims: { ...oktaPerson, uid: undefined, sub: oktaPerson.cid },
        expected: 'human_required',
      },
      {
        name: 'a service with another sub',
        header: {},
        claims: { ...oktaPerson, uid: undefined, sub: 'service' },
        expected: 'human_required',
      },
      {
        name: 'an ID token',
        header: {},
        claims: { ...oktaPerson, cid: undefined, scp: undefined, at_hash: 'abc' },
        expected: 'token_type',
      },
      {
        name: 'an ID token of the code flow',
        header: {},
        claims: { ...oktaPerson, cid: undefined, scp: undefined },
        expected: 'token_claims',
      },
      {
        name: 'a token of the org authorization server',
        header: {},
        claims: { ...oktaPerson, aud: 'https://example.okta.com' },
        expected: 'token_audience',
      },
      {
        name: 'scp as a string',
        header: {},
        claims: { ...oktaPerson, scp: 'probe' },
        expected: { scopes: ['probe'] },
      },
      {
        name: 'groups as a string',
        header: {},
        claims: { ...oktaPerson, groups: 'admin' },
        expected: 'token_claims',
      },
      { name: 'typ JWT', header: { typ: 'JWT' }, claims: oktaPerson, expected: 'token_type' },
      { name: 'typ dpop+jwt', header: { typ: 'dpop+jwt' }, claims: oktaPerson, expected: 'token_type' },
    ],
  },
  {
    preset: 'auth0',
    alg: 'RS256',
    issuerPath: '/',
    audience: 'https://api.example.com/',
    cases: [
      {
        name: 'a user, default profile',
        header: { typ: 'JWT' },
        claims: auth0Person,
        expected: {
          kind: 'human',
          sub: auth0Person.sub,
          client_id: 'my_client_id',
          tenant: auth0Person.org_id,
          roles: ['admin'],
          scopes: ['openid', 'profile', 'probe'],
        },
      },
      {
        name: 'a user, RFC 9068 profile',
        header: { typ: 'at+jwt' },
        claims: { ...auth0Person, azp: undefined, client_id: 'my_client_id', jti: 'WOpWUJCYAcrgwWMt9aMcjd' },
        expected: { kind: 'human', client_id: 'my_client_id' },
      },
      {
        name: 'a machine',
        header: { typ: 'JWT' },
        claims: { ...auth0Person, sub: 'my_client_id@clients', gty: 'client-credentials' },
        expected: 'human_required',
      },
      {
        name: 'a machine, RFC 9068 profile, without gty',
        header: { typ: 'at+jwt' },
        claims: { ...auth0Person, sub: 'my_client_id@clients' },
        expected: 'human_required',
      },
      {
        name: 'an ID token',
        header: { typ: 'JWT' },
        claims: { sub: auth0Person.sub, aud: 'my_client_id', sid: 's', nonce: 'n' },
        expected: 'token_audience',
      },
      {
        name: 'an ID token with the audience of the gateway',
        header: { typ: 'JWT' },
        claims: { sub: auth0Person.sub, aud: 'https://api.example.com/', nonce: 'n' },
        expected: 'token_type',
      },
      {
        name: 'a token for userinfo only',
        header: { typ: 'JWT' },
        claims: { ...auth0Person, aud: 'https://tenant.example.com/userinfo' },
        expected: 'token_audience',
      },
      {
        name: 'roles under an http name are ignored',
        header: { typ: 'JWT' },
        claims: {
          ...auth0Person,
          'https://example.com/roles': undefined,
          'http://example.com/roles': ['admin'],
          roles: ['owner'],
        },
        expected: { roles: [] },
      },
      {
        name: 'permissions of the user are not scopes',
        header: { typ: 'JWT' },
        claims: { ...auth0Person, scope: 'openid', permissions: ['probe'] },
        expected: 'scope_missing',
      },
      {
        name: 'permissions in addition to roles',
        header: { typ: 'JWT' },
        claims: { ...auth0Person, permissions: ['read:all'] },
        expected: { roles: ['read:all', 'admin'], scopes: ['openid', 'profile', 'probe'] },
      },
      {
        name: 'roles as a string',
        header: { typ: 'JWT' },
        claims: { ...auth0Person, 'https://example.com/roles': 'admin' },
        expected: 'token_claims',
      },
      {
        name: 'iss without its trailing slash',
        header: { typ: 'JWT' },
        claims: { ...auth0Person, iss: 'https://tenant.example.com' },
        expected: 'token_issuer',
      },
      { name: 'typ missing', header: {}, claims: auth0Person, expected: 'token_type' },
    ],
  },
  {
    preset: 'keycloak',
    alg: 'RS256',
    issuerPath: '/realms/demo',
    audience: 'mcp-server',
    cases: [
      {
        name: 'a user',
        header: { typ: 'JWT' },
        claims: keycloakPerson,
        expected: {
          kind: 'human',
          sub: keycloakPerson.sub,
          client_id: 'agent-client',
          roles: ['offline_access', 'uma_authorization', 'staff', 'admin'],
        },
      },
      {
        name: 'roles of another client are ignored',
        header: { typ: 'JWT' },
        claims: {
          ...keycloakPerson,
          realm_access: undefined,
          resource_access: { account: { roles: ['admin'] } },
        },
        expected: { roles: [] },
      },
      {
        name: 'roles of a client with the name of an Object property',
        header: { typ: 'JWT' },
        claims: { ...keycloakPerson, realm_access: {}, resource_access: {} },
        expected: { roles: [] },
      },
      {
        name: 'a nonce in the access token, as in older releases',
        header: { typ: 'JWT' },
        claims: { ...keycloakPerson, nonce: 'n' },
        expected: { kind: 'human' },
      },
      {
        name: 'a service account',
        header: { typ: 'JWT' },
        claims: {
          ...keycloakPerson,
          preferred_username: 'service-account-agent-client',
          client_id: 'agent-client',
        },
        expected: 'human_required',
      },
      {
        name: 'an ID token',
        header: { typ: 'JWT' },
        claims: { ...keycloakPerson, typ: 'ID' },
        expected: 'token_type',
      },
      {
        name: 'a refresh token',
        header: { typ: 'JWT' },
        claims: { ...keycloakPerson, typ: 'Refresh' },
        expected: 'token_type',
      },
      {
        name: 'an offline token',
        header: { typ: 'JWT' },
        claims: { ...keycloakPerson, typ: 'Offline' },
        expected: 'token_type',
      },
      {
        name: 'a DPoP-bound token',
        header: { typ: 'JWT' },
        claims: { ...keycloakPerson, typ: 'DPoP', cnf: { jkt: 'x' } },
        expected: 'token_binding',
      },
      {
        name: 'a logout token',
        header: { typ: 'logout+jwt' },
        claims: { ...keycloakPerson, typ: 'Logout' },
        expected: 'token_type',
      },
      {
        name: 'a token for the account client only',
        header: { typ: 'JWT' },
        claims: { ...keycloakPerson, aud: 'account' },
        expected: 'token_audience',
      },
      {
        name: 'realm roles as a string',
        header: { typ: 'JWT' },
        claims: { ...keycloakPerson, realm_access: { roles: 'admin' } },
        expected: 'token_claims',
      },
      {
        name: 'client roles as an object',
        header: { typ: 'JWT' },
        claims: { ...keycloakPerson, resource_access: { 'mcp-server': { roles: { admin: true } } } },
        expected: 'token_claims',
      },
      {
        name: 'a token of another realm',
        header: { typ: 'JWT' },
        claims: { ...keycloakPerson, iss: 'https://sso.example.com/realms/master' },
        expected: 'token_issuer',
      },
    ],
  },
  {
    preset: 'cognito',
    alg: 'RS256',
    issuerPath: '/us-east-1_example',
    audience: cognitoPerson.client_id,
    cases: [
      {
        name: 'a user, identified by the client instead of an audience',
        header: {},
        claims: cognitoPerson,
        settings: COGNITO,
        expected: {
          kind: 'human',
          sub: cognitoPerson.sub,
          client_id: cognitoPerson.client_id,
          scopes: ['probe', 'openid'],
          roles: ['admin'],
          auth_time: cognitoPerson.auth_time,
        },
      },
      { name: 'scopes with their full names', header: {}, claims: cognitoPerson, expected: 'scope_missing' },
      {
        name: 'an ID token',
        header: {},
        claims: { ...cognitoPerson, token_use: 'id', aud: cognitoPerson.client_id, client_id: undefined },
        expected: 'token_type',
      },
      {
        name: 'a token without token_use',
        header: {},
        claims: { ...cognitoPerson, token_use: undefined },
        expected: 'token_type',
      },
      {
        name: 'a token of another client',
        header: {},
        claims: { ...cognitoPerson, client_id: 'another' },
        expected: 'token_audience',
      },
      {
        name: 'a token of the configured client for another resource',
        header: {},
        claims: { ...cognitoPerson, aud: 'https://other.example.com' },
        expected: 'token_audience',
      },
      {
        name: 'a token of the configured client without an audience',
        header: {},
        claims: { ...cognitoPerson, aud: null },
        expected: 'token_audience',
      },
      {
        name: 'a machine',
        header: {},
        claims: { ...cognitoPerson, username: undefined, sub: cognitoPerson.client_id },
        settings: COGNITO,
        expected: 'human_required',
      },
      {
        name: 'a machine with another sub',
        header: {},
        claims: { ...cognitoPerson, username: undefined },
        settings: COGNITO,
        expected: 'human_required',
      },
      { name: 'a typ', header: { typ: 'JWT' }, claims: cognitoPerson, expected: 'token_type' },
    ],
  },
  {
    preset: 'google',
    alg: 'RS256',
    issuerPath: '',
    audience: 'https://gate.example.com/mcp',
    cases: [
      {
        name: 'a service account',
        header: { typ: 'JWT' },
        claims: googleService,
        expected: 'human_required',
      },
      {
        name: 'a service account without its e-mail address',
        header: { typ: 'JWT' },
        claims: { ...googleService, email: undefined, azp: 'another' },
        expected: 'human_required',
      },
      {
        name: 'a user without scopes',
        header: { typ: 'JWT' },
        claims: googlePerson,
        expected: 'scope_missing',
      },
      {
        name: 'a user with invented scopes',
        header: { typ: 'JWT' },
        claims: { ...googlePerson, scope: 'probe', scp: ['probe'], roles: ['admin'] },
        expected: 'scope_missing',
      },
      {
        name: 'an unverified e-mail address',
        header: { typ: 'JWT' },
        claims: { ...googlePerson, email_verified: false },
        expected: 'token_type',
      },
      {
        name: 'an ID token of a login',
        header: { typ: 'JWT' },
        claims: { ...googlePerson, at_hash: 'HK6E_P6Dh8Y93mRNtsDB1Q' },
        expected: 'token_type',
      },
      {
        name: 'a token for another server',
        header: { typ: 'JWT' },
        claims: { ...googlePerson, aud: 'https://other.example.com' },
        expected: 'token_audience',
      },
    ],
  },
  {
    preset: 'ping',
    alg: 'RS256',
    issuerPath: '',
    audience: 'https://gate.example.com/mcp',
    cases: [
      {
        name: 'a user, PingFederate',
        header: {},
        claims: pingPerson,
        expected: {
          kind: 'human',
          client_id: 'agent',
          scopes: ['openid', 'probe'],
          roles: ['admin', 'staff'],
        },
      },
      {
        name: 'scopes as a list, one group as a string',
        header: { typ: 'at+jwt' },
        claims: { ...pingPerson, scope: ['probe'], groups: 'admin' },
        expected: { scopes: ['probe'], roles: ['admin'] },
      },
      {
        name: 'the client in a separate claim',
        header: {},
        claims: { ...pingPerson, client_id: undefined, client_id_name: 'agent' },
        settings: { claims: { client_id: 'client_id_name' } },
        expected: { client_id: 'agent' },
      },
      { name: 'a machine', header: {}, claims: { ...pingPerson, sub: 'agent' }, expected: 'human_required' },
      {
        name: 'without a subject',
        header: {},
        claims: { ...pingPerson, sub: undefined },
        expected: 'token_claims',
      },
      {
        name: 'without an audience',
        header: {},
        claims: { ...pingPerson, aud: undefined },
        expected: 'token_audience',
      },
      { name: 'an ID token', header: {}, claims: { ...pingPerson, nonce: 'n' }, expected: 'token_type' },
      { name: 'typ JWT', header: { typ: 'JWT' }, claims: pingPerson, expected: 'token_type' },
    ],
  },
];
