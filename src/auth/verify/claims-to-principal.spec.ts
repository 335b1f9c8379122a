import fc from 'fast-check';
import { AppError } from '../../core/app-error.js';
import { claimsToPrincipal, MAX_ACTORS } from './claims-to-principal.js';
import { ISSUER_DEFAULTS } from '../../config/identity-file.js';
import { PRESETS, type IssuerSettings, type Preset } from '../../config/settings.js';
import type { Claims } from '../presets/presets.js';
import { accessTokenClaims } from '../../../test/support/principals.js';

const GENERIC = accessTokenClaims({ iss: 'https://i', iat: undefined, exp: 1, jti: undefined });
const AUDIENCE = ['https://gate/mcp'];

const read = (claims: Claims, preset: Preset = 'generic', more: Partial<IssuerSettings> = {}) =>
  claimsToPrincipal(
    { ...GENERIC, ...claims },
    { ...ISSUER_DEFAULTS, issuer: 'https://i', audience: AUDIENCE, preset, ...more },
  );

it.each([
  ['generic', {}, { clientId: 'agent', kind: 'human', scopes: [], roles: [] }],
  ['generic', { scope: ' a  b a ', roles: ['x', 'x'] }, { scopes: ['a', 'b'], roles: ['x'] }],
  ['generic', { scp: ['a', 'b'] }, { scopes: ['a', 'b'] }],
  ['generic', { client_id: undefined, azp: 'other' }, { clientId: 'other' }],
  ['generic', { sub: 'agent' }, { kind: 'workload' }],
  ['generic', { idtyp: 'app' }, { kind: 'workload' }],
  ['generic', { gty: 'client-credentials' }, { kind: 'workload' }],
  [
    'entra',
    { scp: 'a b', roles: ['R'], azp: 'app', tid: 't' },
    { clientId: 'app', scopes: ['a', 'b'], roles: ['R'], tenant: 't', kind: 'human' },
  ],
  ['entra', { scp: 'a', appid: 'v1-app' }, { clientId: 'v1-app', kind: 'human' }],
  ['entra', { roles: ['R'], azp: 'app' }, { kind: 'workload', scopes: [] }],
  [
    'okta',
    { scp: ['a'], cid: 'c', uid: 'u', groups: ['g'] },
    { clientId: 'c', scopes: ['a'], roles: ['g'], kind: 'human' },
  ],
  ['okta', { scp: ['a'], cid: 'c' }, { kind: 'workload' }],
  [
    'auth0',
    { azp: 'c', client_id: undefined, scope: 'a', 'https://x/roles': ['r'], org_id: 'o' },
    { clientId: 'c', scopes: ['a'], roles: ['r'], tenant: 'o' },
  ],
  ['auth0', { sub: 'c@clients', azp: 'c' }, { kind: 'workload' }],
  [
    'keycloak',
    {
      azp: 'c',
      client_id: undefined,
      scope: 'a',
      realm_access: { roles: ['r'] },
      resource_access: { 'https://gate/mcp': { roles: ['own'] }, other: { roles: ['foreign'] } },
    },
    { roles: ['r', 'own'] },
  ],
  ['keycloak', { preferred_username: 'service-account-batch' }, { kind: 'workload' }],
] as const)('claimsToPrincipal: %s %j', (preset, claims, expected) => {
  expect(read(claims as Claims, preset)).toMatchObject(expected);
});

it.each([
  { sub: undefined },
  { sub: '' },
  { sub: ' ' },
  { sub: 5 },
  { sub: ['alice'] },
  { sub: null },
  { client_id: undefined },
  { client_id: '' },
  { client_id: {} },
  { scope: {} },
  { scope: 5 },
  { scope: true },
  { scope: null },
  { scope: ['a', 5] },
  { scope: [['a']] },
  { roles: 'admin' },
  { roles: { 0: 'admin' } },
  { roles: [null] },
  { roles: null },
  { act: 'agent' },
  { act: [] },
  { act: null },
  { act: {} },
  { act: { sub: 5 } },
  { act: { sub: 'a', iss: 5 } },
  { act: { sub: 'a', act: 'b' } },
  { jti: 5 },
  { tenant: [] },
])('claimsToPrincipal rejects %j', (claims) => {
  expect(() => read(claims)).toThrow(expect.objectContaining({ code: 'token_claims', status: 401 }));
});

it('reads the delegation chain from the user out: innermost actor first, client last', () => {
  const act = { sub: 'current', act: { sub: 'before', iss: 'https://other', act: { sub: 'first' } } };
  expect(read({ act }).delegation).toEqual([
    { sub: 'alice', iss: 'https://i', type: 'human' },
    { sub: 'first', iss: 'https://i', type: 'agent' },
    { sub: 'before', iss: 'https://other', type: 'agent' },
    { sub: 'current', iss: 'https://i', type: 'agent' },
    { sub: 'agent', iss: 'https://i', type: 'client' },
  ]);
});

it.each([
  [{}, ['alice human', 'agent client']],
  [{ act: { sub: 'agent' } }, ['alice human', 'agent agent']],
  [{ sub: 'agent' }, ['agent client']],
  [{ sub: 'agent', act: { sub: 'other' } }, ['agent client', 'other agent']],
])('%j: lists the client once', (claims, chain) => {
  expect(read(claims).delegation.map(({ sub, type }) => `${sub} ${type}`)).toEqual(chain);
});

it('keeps the root and the last actors of a deep chain, and counts the omitted ones', () => {
  const act = (depth: number, at = 1): object => ({
    sub: `a${at}`,
    ...(at < depth && { act: act(depth, at + 1) }),
  });
  const whole = read({ act: act(MAX_ACTORS) });
  expect([whole.delegation.length, whole.delegationOmitted]).toEqual([MAX_ACTORS + 2, 0]);
  const cut = read({ act: act(MAX_ACTORS + 3) });
  expect(cut.delegationOmitted).toBe(3);
  expect(cut.delegation.map(({ sub }) => sub)).toEqual([
    'alice',
    ...Array.from({ length: MAX_ACTORS }, (_, at) => `a${MAX_ACTORS - at}`),
    'agent',
  ]);
});

it('returns a principal or a public denial for random claims', () => {
  const claims = fc.dictionary(
    fc.constantFrom(
      'sub',
      'client_id',
      'azp',
      'cid',
      'scope',
      'scp',
      'roles',
      'groups',
      'act',
      'jti',
      'tid',
      'realm_access',
      'resource_access',
      'https://x/roles',
      'gty',
      'idtyp',
      '__proto__',
    ),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(claims, fc.constantFrom(...PRESETS), (odd, preset) => {
      try {
        const principal = read(odd, preset);
        expect([...principal.scopes, ...principal.roles].every((name) => typeof name === 'string')).toBe(
          true,
        );
        expect(principal.scopes).not.toContain('');
        expect(principal.delegation[0]?.sub).toBe(principal.subject);
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
        expect(error).toMatchObject({ code: 'token_claims' });
      }
    }),
    { numRuns: 3000 },
  );
});

it.each<[string, Preset, Claims, Partial<IssuerSettings>, object]>([
  [
    'a role map names roles, and what it does not name is none',
    'generic',
    { roles: ['guid-1', 'guid-2', 'admin'] },
    {
      roleMap: new Map([
        ['guid-1', 'admin'],
        ['guid-2', 'admin'],
      ]),
    },
    { roles: ['admin'] },
  ],
  [
    'a role map is not fooled by the names of every object',
    'generic',
    { roles: ['__proto__', 'toString', 'size'] },
    { roleMap: new Map([['x', 'admin']]) },
    { roles: [] },
  ],
  [
    'ids of groups are no roles without a role map',
    'entra',
    { scp: 'a', azp: 'c', groups: ['g'], wids: ['w'] },
    {},
    { roles: [] },
  ],
  [
    'and with one they are read',
    'entra',
    { scp: 'a', azp: 'c', roles: ['r'], groups: ['g'], wids: ['w'] },
    {
      roleMap: new Map([
        ['g', 'reader'],
        ['w', 'admin'],
      ]),
    },
    { roles: ['admin', 'reader'] },
  ],
  [
    'too many groups for the token are none',
    'entra',
    {
      scp: 'a',
      azp: 'c',
      _claim_names: { groups: 'src1' },
      _claim_sources: { src1: { endpoint: 'https://x' } },
      hasgroups: true,
    },
    { roleMap: new Map([['g', 'reader']]) },
    { roles: [] },
  ],
  [
    'authentication contexts of Entra',
    'entra',
    { scp: 'a', azp: 'c', acr: '1', acrs: ['c1', 'c2'] },
    {},
    { acr: ['c1', 'c2'] },
  ],
  [
    'configured places replace those of the preset',
    'keycloak',
    { realm_access: { roles: ['r'] }, scope: 's', a: { b: 'one two', c: 'single', d: 't' }, e: 'client-9' },
    { claims: { roles: ['/a/c'], scopes: ['/a/b'], tenant: ['/a/d'], clientId: ['e'] } },
    { roles: ['single'], scopes: ['one', 'two'], tenant: 't', clientId: 'client-9' },
  ],
  [
    'a prefix comes off, once',
    'generic',
    { scope: 'p/a b p/p/c p/' },
    { scopePrefix: 'p/' },
    { scopes: ['a', 'b', 'p/c'] },
  ],
  [
    'how the person logged in',
    'generic',
    { acr: 'phr', auth_time: 1700000000 },
    {},
    { acr: ['phr'], authenticatedAt: 1700000000 },
  ],
  ['nothing is known of it where nothing is said', 'generic', {}, {}, { acr: [], authenticatedAt: null }],
  [
    'groups of Cognito',
    'cognito',
    { 'cognito:groups': ['g'], scope: 'gate/a openid', username: 'u' },
    { scopePrefix: 'gate/' },
    { roles: ['g'], scopes: ['a', 'openid'], kind: 'human' },
  ],
  ['a machine at Cognito', 'cognito', { scope: 'gate/a' }, {}, { kind: 'workload' }],
  [
    'a service account at Google',
    'google',
    { azp: '107', sub: '107', email: 'a@p.iam.gserviceaccount.com', email_verified: true, scope: 'x' },
    {},
    { kind: 'workload', scopes: [], roles: [] },
  ],
  [
    'a person at Google, mapped by address and domain',
    'google',
    { azp: 'c', sub: '1', email: 'a@x.example', email_verified: true, hd: 'x.example' },
    {
      roleMap: new Map([
        ['a@x.example', 'admin'],
        ['x.example', 'staff'],
      ]),
    },
    { kind: 'human', roles: ['admin', 'staff'], tenant: 'x.example' },
  ],
  [
    'one role as a text, at PingFederate',
    'ping',
    { groups: 'admins', scope: ['a'] },
    {},
    { roles: ['admins'], scopes: ['a'] },
  ],
  [
    'permissions of Auth0 are roles, and no scopes',
    'auth0',
    { azp: 'c', scope: 'a', permissions: ['b'] },
    {},
    { scopes: ['a'], roles: ['b'] },
  ],
])('%s', (_name, preset, claims, settings, expected) => {
  expect(read(claims, preset, settings)).toMatchObject(expected);
});

it.each([
  { acr: 7 },
  { acr: [7] },
  { acr: null },
  { auth_time: '1' },
  { auth_time: null },
  { auth_time: Infinity },
])('rejects %j, which decides about a step-up', (claims) => {
  expect(() => read(claims)).toThrow(expect.objectContaining({ code: 'token_claims', status: 401 }));
});

const ZITADEL = 'urn:zitadel:iam:org:project:roles';
const GRANTS = { admin: { '17': 'a.example' }, reader: { '17': 'a.example', '18': 'b.example' } };

describe('roles', () => {
  const named = { claims: { roles: [ZITADEL] } };
  const rolesOf = (roles: unknown, settings: Partial<IssuerSettings> = {}) =>
    read({ [settings.claims?.roles?.[0] ?? 'roles']: roles }, 'generic', settings).roles;

  it.each<[unknown, Partial<IssuerSettings>, string[]]>([
    ['admin', { rolesSeparator: ',' }, ['admin']],
    ['admin,developer', { rolesSeparator: ',' }, ['admin', 'developer']],
    [' admin , developer,,admin ', { rolesSeparator: ',' }, ['admin', 'developer']],
    ['admin developer', { rolesSeparator: ' ' }, ['admin', 'developer']],
    ['admin developer', { rolesSeparator: ',' }, ['admin developer']],
    ['', { rolesSeparator: ',' }, []],
    [['admin,developer'], { rolesSeparator: ',' }, ['admin,developer']],
    ['guid-1,guid-2', { rolesSeparator: ',', roleMap: new Map([['guid-2', 'admin']]) }, ['admin']],
    ['admin,developer', { ...named }, ['admin,developer']],
    ['admin,developer', { ...named, rolesSeparator: ',' }, ['admin', 'developer']],
    [GRANTS, named, ['admin', 'reader']],
    [GRANTS, { ...named, roleOrganizations: ['18'] }, ['reader']],
    [GRANTS, { ...named, roleOrganizations: ['19'] }, []],
    [GRANTS, { ...named, roleMap: new Map([['admin', 'boss']]) }, ['boss']],
    [{ admin: {} }, named, []],
    [{}, named, []],
  ])('reads %j with %j as %j', (roles, settings, expected) => {
    expect(rolesOf(roles, settings)).toEqual(expected);
  });

  it.each<[unknown, Partial<IssuerSettings>]>([
    ['admin', {}],
    ['admin,developer', {}],
    [7, { rolesSeparator: ',' }],
    [{ admin: true }, { rolesSeparator: ',' }],
    [GRANTS, {}],
    [{ admin: true, reader: GRANTS.reader }, named],
    [{ admin: false }, named],
    [{ admin: 'a.example' }, named],
    [{ roles: ['admin'] }, named],
    [{ account: { roles: ['admin'] } }, named],
    [{ admin: [] }, named],
    [{ admin: { '17': { x: 'y' } } }, named],
  ])('rejects %j with %j', (roles, settings) => {
    expect(() => rolesOf(roles, settings)).toThrow(expect.objectContaining({ code: 'token_claims' }));
  });

  it('names the setting in the denial of a roles claim that is one string', () => {
    expect(() => rolesOf('admin')).toThrow(/roles_separator/);
  });

  it('does not split an address into roles', () => {
    const settings = { rolesSeparator: ',', roleMap: new Map([['boss@a.example', 'admin']]) };
    const claims = { azp: 'c', email: '"x,boss@a.example,"@evil.example', email_verified: true };
    expect(read(claims, 'google', settings).roles).toEqual([]);
  });
});

it('reads the display name from the configured claim, if it is a string', () => {
  const settings = { displayClaim: '/profile/name' };
  expect(read({ profile: { name: 'Alice\u0007 A.' } }, 'generic', settings).displayName).toBe('Alice A.');
  for (const name of [null, 7, ['Alice'], '', undefined]) {
    expect(read({ profile: { name } }, 'generic', settings)).not.toHaveProperty('displayName');
  }
  expect(read({ profile: { name: 'Alice' } })).not.toHaveProperty('displayName');
});
