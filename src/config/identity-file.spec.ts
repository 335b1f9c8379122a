import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { type IssuersSettings, readIdentityFile } from './identity-file.js';

const PEM = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();
const RESOURCE = 'https://gate.example.com/mcp';
const FILES: Readonly<Record<string, string>> = {
  '/etc/gate/secret': 's3cret-value\n',
  '/etc/gate/key.pem': PEM,
  '/etc/gate/nonce': 'n'.repeat(32),
  '/etc/gate/empty': '\n',
};

function load(text: string): { settings: IssuersSettings; faults: string[] } {
  const faults: string[] = [];
  const read = (path: string) => {
    const content = path === '/etc/gate/identity.yaml' ? text : FILES[path];
    if (content === undefined) throw Object.assign(new Error(`${path} is gone`), { code: 'ENOENT' });
    return content;
  };
  const settings = readIdentityFile({ path: '/etc/gate/identity.yaml', resource: RESOURCE, read }, faults);
  return { settings, faults };
}

const faultsOf = (file: unknown) => load(stringify(file, { aliasDuplicateObjects: false })).faults;
const ISSUER = { issuer: 'https://login.example.com' };

it('applies the defaults of the AUTH_ variables', () => {
  const { settings, faults } = load('issuers:\n  - issuer: https://login.example.com\n');
  expect(faults).toEqual([]);
  expect(settings).toEqual({
    issuers: [
      {
        issuer: 'https://login.example.com',
        preset: 'generic',
        audience: [RESOURCE],
        metadataUrl: undefined,
        jwksUri: undefined,
        algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
        tokenTypes: undefined,
        clockToleranceSeconds: 5,
        maxTokenLifetimeSeconds: 3600,
        claims: {},
        roleMap: undefined,
        scopePrefix: '',
        dpop: 'allowed',
        mtls: 'allowed',
        keyRefreshSeconds: 300,
        keyMaxAgeSeconds: 3600,
        introspection: undefined,
      },
    ],
    dpopNonceSecret: undefined,
    clientCertificateHeader: undefined,
  });
});

it('reads every setting of an issuer', () => {
  const { settings, faults } = load(`
dpop_nonce_secret_file: nonce
client_certificate_header: { name: X-Client-Cert, format: pem }
issuers:
  - issuer: https://login.microsoftonline.com/tenant/v2.0
    preset: entra
    audience: [guid, api://guid]
    metadata_url: https://login.microsoftonline.com/tenant/.well-known/openid-configuration?appid=1
    jwks_uri: https://login.microsoftonline.com/keys?appid=1
    algorithms: [RS256]
    accept_key_without_kid: true
    token_types: [application/AT+JWT]
    clock_tolerance_seconds: 0
    max_token_lifetime_seconds: 6000
    claims:
      scopes: scp
      roles: [/realm_access/roles, 'https://example.com/roles']
      client_id: [azp]
      tenant: tid
    role_map: { 62e90394-69f5-4237-9190-012177145e10: admin, __proto__: user }
    scope_prefix: api://guid/
    roles_separator: ' '
    role_organizations: '1234'
    display_claim: preferred_username
    dpop: required
    mtls: required
    key_refresh_seconds: 60
    key_max_age_seconds: 60
  - issuer: https://opaque.example.com
    introspection:
      endpoint: https://opaque.example.com/introspect
      client_id: gate
      client_secret_file: secret
      accept_missing_audience: true
      cache_seconds: 0
    jwks_uri: https://opaque.example.com/keys
    token_types: [JWT]
`);
  expect(faults).toEqual([]);
  expect(settings).toMatchObject({
    dpopNonceSecret: FILES['/etc/gate/nonce'],
    clientCertificateHeader: { name: 'x-client-cert', format: 'pem' },
    issuers: [
      {
        preset: 'entra',
        audience: ['guid', 'api://guid'],
        metadataUrl: 'https://login.microsoftonline.com/tenant/.well-known/openid-configuration?appid=1',
        jwksUri: 'https://login.microsoftonline.com/keys?appid=1',
        algorithms: ['RS256'],
        acceptsKeyWithoutKid: true,
        tokenTypes: ['at+jwt'],
        clockToleranceSeconds: 0,
        maxTokenLifetimeSeconds: 6000,
        claims: {
          scopes: ['scp'],
          roles: ['/realm_access/roles', 'https://example.com/roles'],
          clientId: ['azp'],
          tenant: ['tid'],
        },
        scopePrefix: 'api://guid/',
        rolesSeparator: ' ',
        roleOrganizations: ['1234'],
        displayClaim: 'preferred_username',
        dpop: 'required',
        mtls: 'required',
        keyRefreshSeconds: 60,
        keyMaxAgeSeconds: 60,
      },
      {
        introspection: {
          endpoint: 'https://opaque.example.com/introspect',
          clientId: 'gate',
          authentication: { method: 'client_secret_basic', secret: 's3cret-value' },
          acceptsMissingAudience: true,
          cacheSeconds: 0,
        },
        jwksUri: 'https://opaque.example.com/keys',
        tokenTypes: ['jwt'],
      },
    ],
  });
  expect([...(settings.issuers[0]?.roleMap ?? [])]).toEqual([
    ['62e90394-69f5-4237-9190-012177145e10', 'admin'],
    ['__proto__', 'user'],
  ]);
});

it('reads a private key in place of a secret', () => {
  const introspection = {
    client_id: 'gate',
    client_authentication: 'private_key_jwt',
    private_key_file: './key.pem',
    key_id: 'k1',
  };
  const { settings, faults } = load(stringify({ issuers: [{ ...ISSUER, introspection }] }));
  expect(faults).toEqual([]);
  expect(settings.issuers[0]?.introspection).toEqual({
    endpoint: undefined,
    clientId: 'gate',
    authentication: { method: 'private_key_jwt', key: PEM.trim(), algorithm: 'ES256', keyId: 'k1' },
    cacheSeconds: 10,
  });
});

const secretly = (introspection: object) => ({
  issuers: [
    { ...ISSUER, introspection: { client_id: 'gate', client_secret_file: 'secret', ...introspection } },
  ],
});
const of = (issuer: object) => ({ issuers: [{ ...ISSUER, ...issuer }] });

it.each<[unknown, string]>([
  ['text', 'must be a mapping'],
  [[], 'must be a mapping'],
  [null, 'must be a mapping'],
  [{}, 'issuers: must be a list of at least one issuer'],
  [{ issuers: [] }, 'issuers: must be a list of at least one issuer'],
  [{ issuers: ISSUER }, 'issuers: must be a list of at least one issuer'],
  [{ issuers: ['https://login.example.com'] }, 'issuers[0]: must be a mapping'],
  [{ issuers: [{}] }, 'issuers[0].issuer: is required and not set'],
  [{ issuers: [ISSUER, { issuer: 'http://login.example.com' }] }, 'issuers[1].issuer: must be an https URL'],
  [
    { issuers: [{ issuer: 'http://a.example/adfs?x=1', jwks_uri: 'https://a.example/k' }] },
    'issuer: must be',
  ],
  [{ issuers: [{ issuer: 'http://u:p@a.example', jwks_uri: 'https://a.example/k' }] }, 'issuer: must be'],
  [{ issuers: [{ issuer: 'ftp://a.example', jwks_uri: 'https://a.example/k' }] }, 'issuer: must be'],
  [
    { issuers: [{ issuer: 'http://a.example', jwks_uri: 'http://a.example/k' }] },
    'issuer: must be an https URL',
  ],
  [
    { issuers: [{ issuer: 'http://a.example', metadata_url: 'http://a.example/k' }] },
    'issuer: must be an https URL',
  ],
  [{ issuers: [ISSUER, ISSUER] }, 'issuers[1].issuer: is the same as that of issuers[0]'],
  [{ issuers: [ISSUER], issuer: 'x' }, 'issuer: is not a setting of this server'],
  [of({ audiance: 'x' }), 'issuers[0].audiance: is not a setting of this server'],
  [of({ audience: [] }), 'issuers[0].audience: must be a list'],
  [of({ audience: null }), 'issuers[0].audience: is set but empty'],
  [of({ audience: '' }), 'issuers[0].audience: must be a list'],
  [of({ audience: ['a b'] }), 'issuers[0].audience: must be a list'],
  [of({ audience: [7] }), 'issuers[0].audience: must be a list'],
  [of({ preset: 'azure' }), 'issuers[0].preset: must be one of'],
  [of({ algorithms: ['HS256'] }), 'issuers[0].algorithms: must be a list'],
  [of({ algorithms: ['none'] }), 'issuers[0].algorithms: must be a list'],
  [of({ algorithms: 'RS256' }), 'issuers[0].algorithms: must be a list'],
  [of({ accept_key_without_kid: 'true' }), 'issuers[0].accept_key_without_kid: must be true or false'],
  [of({ token_types: [] }), 'issuers[0].token_types: must be a list'],
  [of({ clock_tolerance_seconds: 61 }), 'issuers[0].clock_tolerance_seconds: must be a whole number'],
  [of({ clock_tolerance_seconds: '5' }), 'issuers[0].clock_tolerance_seconds: must be a whole number'],
  [of({ max_token_lifetime_seconds: 1.5 }), 'issuers[0].max_token_lifetime_seconds: must be a whole number'],
  [of({ claims: ['roles'] }), 'issuers[0].claims: must be a mapping'],
  [of({ claims: { rolls: ['roles'] } }), 'issuers[0].claims.rolls: is not a setting'],
  [of({ claims: { roles: ['realm_access.roles'] } }), 'issuers[0].claims.roles: must be a list'],
  [of({ claims: { roles: ['/realm_access//roles'] } }), 'issuers[0].claims.roles: must be a list'],
  [of({ claims: { roles: [] } }), 'issuers[0].claims.roles: must be a list'],
  [of({ role_map: { guid: 'two words' } }), 'issuers[0].role_map: must be a mapping'],
  [of({ role_map: {} }), 'issuers[0].role_map: must be a mapping'],
  [of({ role_map: ['admin'] }), 'issuers[0].role_map: must be a mapping'],
  [of({ roles_separator: '' }), 'issuers[0].roles_separator: must be one to three'],
  [of({ roles_separator: 'x' }), 'issuers[0].roles_separator: must be one to three'],
  [of({ roles_separator: '\n' }), 'issuers[0].roles_separator: must be one to three'],
  [of({ roles_separator: [','] }), 'issuers[0].roles_separator: must be one to three'],
  [of({ role_organizations: [] }), 'issuers[0].role_organizations: must be a list'],
  [of({ display_claim: 'a.b' }), 'issuers[0].display_claim: must be the name of a claim'],
  [of({ display_claim: ['name'] }), 'issuers[0].display_claim: must be the name of a claim'],
  [of({ scope_prefix: 'a b' }), 'issuers[0].scope_prefix: must be a text'],
  [of({ dpop: 'off' }), 'issuers[0].dpop: must be allowed or required'],
  [of({ mtls: true }), 'issuers[0].mtls: must be allowed or required'],
  [of({ key_refresh_seconds: 0 }), 'issuers[0].key_refresh_seconds: must be a whole number'],
  [
    of({ key_max_age_seconds: 299 }),
    'issuers[0].key_max_age_seconds: must not be less than key_refresh_seconds',
  ],
  [of({ jwks_uri: 'http://keys.example.com' }), 'issuers[0].jwks_uri: must be an https URL'],
  [of({ metadata_url: 'https://a:b@c.example' }), 'issuers[0].metadata_url: must be an https URL'],
  [of({ introspection: {} }), 'issuers[0].introspection.client_id: is required and not set'],
  [of({ introspection: { client_id: 'gate' } }), 'introspection.client_secret_file: is required'],
  [secretly({ client_authentication: 'none' }), 'introspection.client_authentication: must be'],
  [secretly({ client_authentication: 'private_key_jwt' }), 'introspection.private_key_file: is required'],
  [secretly({ private_key_file: 'key.pem' }), 'introspection.private_key_file: has no effect'],
  [secretly({ algorithm: 'ES256' }), 'introspection.algorithm: has no effect'],
  [
    secretly({ client_secret_file: 'gone' }),
    'introspection.client_secret_file: the file cannot be read (ENOENT)',
  ],
  [
    secretly({ client_secret_file: 'empty' }),
    'introspection.client_secret_file: the file holds fewer than 1',
  ],
  [secretly({ client_secret: 'hunter2' }), 'introspection.client_secret: is not a setting'],
  [secretly({ cache_seconds: 61 }), 'introspection.cache_seconds: must be a whole number'],
  [
    secretly({ accept_missing_audience: 'true' }),
    'introspection.accept_missing_audience: must be true or false',
  ],
  [
    { issuers: [...secretly({}).issuers, { ...secretly({}).issuers[0], issuer: 'https://b.example' }] },
    'issuers[1].introspection: only one issuer can have it; issuers[0] has it',
  ],
  [
    { issuers: [ISSUER], dpop_nonce_secret_file: 'secret' },
    'dpop_nonce_secret_file: the file holds fewer than 32',
  ],
  [
    { issuers: [ISSUER], client_certificate_header: { name: 'a b' } },
    'client_certificate_header.name: must be',
  ],
  [
    { issuers: [ISSUER], client_certificate_header: { name: 'a', format: 'der' } },
    'client_certificate_header.format: must be',
  ],
])('rejects %j: %s', (file, expected) => {
  const faults = faultsOf(file);
  expect(faults.join('\n')).toContain(expected);
  for (const fault of faults) expect(fault).toMatch(/^IDENTITY_FILE: /);
  expect(faults.join()).not.toMatch(/s3cret|hunter2|PRIVATE KEY-----/);
});

it.each(['metadata_url', 'jwks_uri'])('accepts an http identifier of AD FS with an https %s', (address) => {
  const issuer = 'http://adfs.example.com/adfs/services/trust';
  const file = { issuers: [{ issuer, [address]: 'https://adfs.example.com/adfs/x' }] };
  expect(faultsOf(file)).toEqual([]);
});

it.each([
  ['issuers: [', 'line 1 is not valid YAML'],
  ['issuers:\n  - issuer: a\n    issuer: b\n', 'line 3 is not valid YAML'],
  ['issuers:\n - {issuer: &a https://a.example, audience: *a}\n', 'must not use aliases'],
  ['a: &a [x,x]\nb: &b [*a,*a]\nissuers: [*b,*b]\n', 'must not use aliases'],
  ['issuers: !!js/function x\n', 'line 1 is not valid YAML'],
  ['', 'must be a mapping'],
  // Names that every object inherits.
  ...['constructor', '__proto__', 'toString'].flatMap((name): [string, string][] => [
    [`${name}: x\nissuers: [{issuer: https://a.example}]\n`, `${name}: is not a setting of this server`],
    [
      `issuers: [{issuer: https://a.example, ${name}: {dpop: required}}]\n`,
      `issuers[0].${name}: is not a setting of this server`,
    ],
    [
      `issuers: [{issuer: https://a.example, claims: {${name}: x}}]\n`,
      `issuers[0].claims.${name}: is not a setting of this server`,
    ],
  ]),
])('rejects the text %j: %s', (text, expected) => {
  expect(load(text).faults.join('\n')).toContain(`IDENTITY_FILE: ${expected}`);
});

describe('readIdentityFile: private key of a client', () => {
  const pem = (
    type: 'ec' | 'rsa' | 'ed25519',
    options: object,
    format: 'pkcs8' | 'sec1' | 'pkcs1' = 'pkcs8',
  ) => {
    const { privateKey } = generateKeyPairSync(type as 'ec', options as { namedCurve: string });
    return privateKey.export({ type: format as 'pkcs8', format: 'pem' }) as string;
  };
  const publicKey = generateKeyPairSync('ed25519').publicKey.export({
    type: 'spki',
    format: 'pem',
  }) as string;
  const locked = generateKeyPairSync('ed25519').privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  }) as string;

  it.each<[string, string, string]>([
    ['ES256', pem('ec', { namedCurve: 'P-256' }), ''],
    ['ES384', pem('ec', { namedCurve: 'P-384' }), ''],
    ['EdDSA', pem('ed25519', {}), ''],
    ['PS256', pem('rsa', { modulusLength: 2048 }), ''],
    ['RS256', pem('rsa', { modulusLength: 1024 }), 'cannot sign with RS256'],
    ['ES256', pem('ec', { namedCurve: 'P-384' }), 'cannot sign with ES256'],
    ['ES256', pem('ed25519', {}), 'cannot sign with ES256'],
    ['ES256', pem('ec', { namedCurve: 'P-256' }, 'sec1'), 'PKCS #8'],
    ['RS256', pem('rsa', { modulusLength: 2048 }, 'pkcs1'), 'PKCS #8'],
    ['EdDSA', publicKey, 'PKCS #8'],
    ['EdDSA', locked, 'without a password'],
    ['ES256', 'secret-text', 'PKCS #8'],
    ['ES256', '-----BEGIN PRIVATE KEY-----\nsecret-text\n-----END PRIVATE KEY-----', 'cannot be read'],
  ])('rejects %s', (algorithm, key, fault) => {
    const faults: string[] = [];
    const file = stringify({
      issuers: [
        {
          ...ISSUER,
          introspection: {
            client_id: 'gate',
            client_authentication: 'private_key_jwt',
            private_key_file: 'key.pem',
            algorithm,
          },
        },
      ],
    });
    const read = (path: string) => (path.endsWith('identity.yaml') ? file : key);
    readIdentityFile({ path: '/etc/gate/identity.yaml', resource: RESOURCE, read }, faults);
    expect(faults.join()).toContain(fault);
    expect(faults).toHaveLength(fault === '' ? 0 : 1);
    expect(faults.join()).not.toContain('secret-text');
  });
});

it.each([
  ['https://login.example.com/', 'a slash'],
  ['https://LOGIN.example.com', 'capitals'],
  ['https://login.example.com:443', 'the port'],
])('rejects %s beside an equal issuer', (issuer) => {
  expect(faultsOf({ issuers: [ISSUER, { issuer }] }).join()).toContain(
    'issuers[1].issuer: differs from that of issuers[0] by a slash, capitals or the port alone',
  );
});

it.each(['Authorization', 'host', 'DPoP', 'X-Forwarded-For'])(
  'rejects %s as the certificate header',
  (name) => {
    expect(faultsOf({ issuers: [ISSUER], client_certificate_header: { name } }).join()).toContain(
      'must be the name of a header that has no other meaning',
    );
  },
);

it('escapes and cuts names of the file in faults', () => {
  const [fault] = faultsOf({ issuers: [{ ...ISSUER, [`\u001b[31m${'x'.repeat(100)}`]: 1 }] });
  expect(fault).toContain('issuers[0].\\u{1b}[31mxxx');
  expect(fault).not.toContain('\u001b');
  expect(fault).not.toContain('x'.repeat(41));
});

it.each(['constructor', '__proto__', 'toString'])(
  'accepts %s as the name of a role at the provider',
  (name) => {
    const { settings, faults } = load(`issuers: [{issuer: https://a.example, role_map: {${name}: admin}}]\n`);
    expect(faults).toEqual([]);
    expect([...(settings.issuers[0]?.roleMap ?? [])]).toEqual([[name, 'admin']]);
  },
);

it('reports all faults at once', () => {
  expect(
    faultsOf({ issuers: [{ issuer: 'x', preset: 'y', claims: { roles: [] } }, { audience: [] }] }),
  ).toHaveLength(5);
});

it('reports an unreadable file as a fault', () => {
  const faults: string[] = [];
  readIdentityFile(
    {
      path: '/nowhere',
      resource: RESOURCE,
      read: () => {
        throw new Error('no');
      },
    },
    faults,
  );
  expect(faults).toEqual(['IDENTITY_FILE: the file cannot be read (unknown error)']);
});

it('returns faults or safe issuers for random files', () => {
  const key = fc.constantFrom(
    'issuers',
    'issuer',
    'audience',
    'preset',
    'claims',
    'role_map',
    'introspection',
    'dpop',
    '__proto__',
  );
  const leaf = fc.oneof(
    fc.constantFrom('https://a.example', 'entra', 'required', 'x'),
    fc.string(),
    fc.integer(),
    fc.constant(null),
  );
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string().map((text) => text as unknown),
        tree,
        tree.map((one) => ({ issuers: [one] })),
      ),
      (file) => {
        const { settings, faults } = load(
          typeof file === 'string' ? file : stringify(file, { aliasDuplicateObjects: false }),
        );
        if (faults.length > 0) return;
        expect(settings.issuers.length).toBeGreaterThan(0);
        for (const { issuer, audience, algorithms } of settings.issuers) {
          expect(issuer).toMatch(/^https:/);
          expect(audience.length * algorithms.length).toBeGreaterThan(0);
        }
      },
    ),
    { numRuns: 1000 },
  );
});
