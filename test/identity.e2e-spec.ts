/**
 * Several issuers at one gateway: settings and keys of one issuer never apply to another, and outages are
 * isolated.
 */
import { Gate, type Answer, type AuditLogLine } from './support/gate.js';
import { makeKey, TestIssuer, type Claims } from './support/issuer.js';
import { ProbeModule, Runs } from './support/probe.tools.js';

const OURS = 'https://gate.example.com/ours';
const THEIRS = 'https://gate.example.com/theirs';

let ours: TestIssuer;
let theirs: TestIssuer;
let gate: Gate;

const runs = () => gate.app.nest.get(Runs).names;
const reasonOf = ({ status, body }: Answer) => [status, body?.error?.data?.reason ?? 'allowed'];

/** A token of either issuer; both issuers use the key id `key-1`. */
function mint(
  issuer: TestIssuer,
  claims: Claims = {},
  options: Parameters<TestIssuer['mint']>[2] = {},
): Promise<string> {
  const audience = issuer === ours ? OURS : THEIRS;
  return issuer.mint(audience, { scope: 'probe', ...claims }, options);
}

async function call(token: string): Promise<(string | number)[]> {
  return reasonOf(await gate.callTool(token, 'echo', { text: 'hello' }));
}

async function until(holds: () => Promise<boolean>, seconds = 15): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('The condition was not met before the deadline');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

beforeAll(async () => {
  [ours, theirs] = await Promise.all([TestIssuer.start(), TestIssuer.start()]);
  theirs.keys.push(await makeKey('key-rsa', 'RS256'));
  gate = await Gate.start({
    issuer: ours,
    imports: [ProbeModule],
    identity: {
      issuers: [
        {
          issuer: ours.url,
          audience: OURS,
          algorithms: ['ES256'],
          key_refresh_seconds: 1,
          key_max_age_seconds: 12,
        },
        {
          issuer: theirs.url,
          audience: [THEIRS],
          preset: 'generic',
          token_types: ['JWT'],
          claims: { scopes: ['/access/scopes'], roles: ['/access/roles'] },
          role_map: { 'guid-1': 'admin' },
          scope_prefix: 'api://theirs/',
          key_refresh_seconds: 1,
          key_max_age_seconds: 12,
        },
      ],
    },
  });
  // On a busy machine the start of the embedded database can delay the key fetch beyond the key lifetime.
  await until(async () => (await gate.get('/health/ready')).status === 200, 60);
});
afterAll(async () => {
  await gate.close();
  await Promise.all([ours.stop(), theirs.stop()]);
});

const theirClaims = {
  scope: undefined,
  access: { scopes: ['api://theirs/probe', 'probe.admin'], roles: ['guid-1', 'admin', 'guid-2'] },
};
const asJwt = () => ({ key: theirs.keys[0], header: { typ: 'JWT' } });

it('applies the settings of each issuer and names the issuer in the record', async () => {
  expect(await call(await mint(ours))).toEqual([200, 'allowed']);
  expect(await call(await mint(theirs, theirClaims, asJwt()))).toEqual([200, 'allowed']);
  const decisions = gate
    .auditLog()
    .filter(({ event, decision }: AuditLogLine) => event === 'decision' && decision === 'allow');
  expect(
    decisions.map(({ principal }) => [principal.iss, principal.sub, principal.scopes, principal.roles]),
  ).toEqual([
    [ours.url, 'alice', ['probe'], []],
    [theirs.url, 'alice', ['probe', 'probe.admin'], ['admin']],
  ]);
});

it.each<[string, () => Promise<string>, string]>([
  [
    'with the signature of the second issuer and the name of the first',
    () => mint(ours, { iss: theirs.url, aud: THEIRS }, { header: { typ: 'JWT' } }),
    'token_signature',
  ],
  [
    'with the signature of the first issuer and the name of the second',
    () => mint(theirs, { iss: ours.url, aud: OURS }, { key: theirs.keys[0] }),
    'token_signature',
  ],
  ['with the audience of the second issuer', () => mint(ours, { aud: THEIRS }), 'token_audience'],
  [
    'with the algorithm of the second issuer',
    () => theirs.mint(OURS, { iss: ours.url, scope: 'probe' }),
    'token_algorithm',
  ],
  [
    'with the token type of the second issuer',
    () => mint(ours, {}, { header: { typ: 'JWT' } }),
    'token_type',
  ],
  [
    'with the default type from an issuer with a configured type',
    () => mint(theirs, theirClaims, { key: theirs.keys[0] }),
    'token_type',
  ],
  ['from an unknown issuer', async () => mint(ours, { iss: 'https://third.example.com' }), 'token_issuer'],
  ['no issuer', async () => mint(ours, { iss: undefined }), 'token_issuer'],
  ['both issuers', async () => mint(ours, { iss: [ours.url, theirs.url] }), 'token_issuer'],
])('rejects a token %s', async (_name, token, reason) => {
  const before = runs().length;
  expect(await call(await token())).toEqual([401, reason]);
  expect(runs()).toHaveLength(before);
  expect(gate.auditLog().at(-1)).toMatchObject({ event: 'authentication', decision: 'deny', reason });
});

it('ignores the claim names of another issuer', async () => {
  const token = await mint(ours, theirClaims);
  expect(await call(token)).toEqual([403, 'scope_missing']);
});

it('ignores a role that role_map does not contain', async () => {
  const plain = { scope: undefined, access: { scopes: ['probe', 'probe.admin'], roles: ['admin'] } };
  const answer = await gate.callTool(await mint(theirs, plain, asJwt()), 'admin_only');
  expect(reasonOf(answer)).toEqual([403, 'role_missing']);
  expect(reasonOf(await gate.callTool(await mint(theirs, theirClaims, asJwt()), 'admin_only'))).toEqual([
    200,
    'allowed',
  ]);
});

it("writes scopes in a challenge in the form of the caller's issuer", async () => {
  const token = await mint(theirs, { scope: undefined }, asJwt());
  const answer = await gate.callTool(token, 'echo', { text: 'hello' });
  expect(answer.headers.get('www-authenticate')).toContain('scope="api://theirs/probe"');
  expect(answer.body.error.data).toMatchObject({ required_scopes: ['probe'], missing_scopes: ['probe'] });
  const own = await gate.callTool(await mint(ours, { scope: '' }), 'echo', { text: 'hello' });
  expect(own.headers.get('www-authenticate')).toContain('scope="probe"');
});

it('publishes both issuers in the metadata and relays the first', async () => {
  const { body } = await gate.get('/.well-known/oauth-protected-resource/mcp');
  expect(body).toMatchObject({ resource: gate.url, authorization_servers: [ours.url, theirs.url] });
  expect(body).not.toHaveProperty('dpop_bound_access_tokens_required');
  // Returns 503 while the issuer is unavailable, which can last for a moment on a busy machine.
  await until(async () => (await gate.get('/.well-known/oauth-authorization-server')).status === 200);
  expect((await gate.get('/.well-known/oauth-authorization-server')).body.issuer).toBe(ours.url);
});

it('counts users with the same subject at two issuers separately for the rate limit', async () => {
  const limited = await Gate.start({
    issuer: ours,
    imports: [ProbeModule],
    database: false,
    identity: { issuers: [{ issuer: ours.url }, { issuer: theirs.url }] },
    env: { RATE_LIMIT_PER_MINUTE: '1' },
  });
  try {
    const tokens = [ours, theirs].map((issuer) =>
      issuer.mint(limited.url, { scope: 'probe' }, { key: issuer.keys[0] }),
    );
    const answers = [...tokens, ...tokens].map(async (token) =>
      limited.callTool(await token, 'echo', { text: 'x' }),
    );
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses.toSorted((one, other) => one - other)).toEqual([200, 200, 429, 429]);
  } finally {
    await limited.close();
  }
});

describe('keys of several issuers', () => {
  /** The database of another gateway can block the process; these tests start with fresh keys. */
  beforeEach(() =>
    until(async () => {
      const { body } = await gate.get('/health/ready');
      return body.issuers.every(({ keys }: { keys: string }) => keys === 'fresh');
    }),
  );

  it('reject tokens of a removed key, also already verified ones, at that issuer only', async () => {
    const removed = await makeKey('key-removed');
    ours.keys.unshift(removed);
    const [token, fresh, other] = await Promise.all([
      mint(ours, {}, { key: removed }),
      mint(ours, { sub: 'bob' }, { key: removed }),
      mint(theirs, theirClaims, asJwt()),
    ]);
    expect(await call(token)).toEqual([200, 'allowed']);
    expect(await call(other)).toEqual([200, 'allowed']);
    ours.keys.shift();
    const gone = Date.now();
    await until(async () => (await call(token))[0] !== 200);
    expect(Date.now() - gone).toBeLessThan(8_000);
    expect(await call(token)).toEqual([401, 'token_signature']);
    expect(await call(fresh)).toEqual([401, 'token_signature']);
    expect(await call(other)).toEqual([200, 'allowed']);
    expect(await call(await mint(ours))).toEqual([200, 'allowed']);
  }, 60_000);

  it('stay valid during an outage up to the limit, then tokens of that issuer alone get 503', async () => {
    const [token, other] = await Promise.all([mint(ours), mint(theirs, theirClaims, asJwt())]);
    expect(await call(token)).toEqual([200, 'allowed']);
    ours.failing = 500;
    const down = Date.now();
    const ready = async () => (await gate.get('/health/ready')).body;
    try {
      await until(async () => (await ready()).issuers[0].keys === 'stale');
      expect((await gate.get('/health/ready')).status).toBe(200);
      expect(await call(await mint(ours, { sub: 'bob' }))).toEqual([200, 'allowed']);
      await until(async () => (await call(token))[0] !== 200, 30);
      expect(Date.now() - down).toBeGreaterThan(8_000);
      expect(await call(token)).toEqual([503, 'identity_unavailable']);
      expect(await call(await mint(ours, { sub: 'bob' }))).toEqual([503, 'identity_unavailable']);
      expect(await call(other)).toEqual([200, 'allowed']);
      expect(await ready()).toMatchObject({
        status: 'unavailable',
        checks: { keys: false },
        issuers: [
          { issuer: ours.url, keys: 'none' },
          { issuer: theirs.url, keys: 'fresh' },
        ],
      });
    } finally {
      ours.failing = undefined;
    }
    await until(async () => (await call(token))[0] === 200, 40);
    await until(async () => (await gate.get('/health/ready')).status === 200);
  }, 120_000);
});

describe('issuer with an http identifier (AD FS)', () => {
  const TRUST = 'http://adfs.example.com/adfs/services/trust';
  let server: TestIssuer;
  let adfs: Gate;

  beforeAll(async () => {
    server = await TestIssuer.start();
    server.overrides.set('/adfs/.well-known/openid-configuration', {
      issuer: `${server.url}/adfs`,
      access_token_issuer: TRUST,
      jwks_uri: `${server.url}/jwks`,
    });
    adfs = await Gate.start({
      issuer: server,
      imports: [ProbeModule],
      database: false,
      identity: {
        issuers: [
          {
            issuer: TRUST,
            audience: OURS,
            token_types: ['JWT'],
            metadata_url: `${server.url}/adfs/.well-known/openid-configuration`,
          },
        ],
      },
    });
  });
  afterAll(async () => {
    await adfs.close();
    await server.stop();
  });

  const ask = async (claims: Claims, key = server.key) => {
    const token = await server.mint(OURS, { scope: 'probe', ...claims }, { key, header: { typ: 'JWT' } });
    return reasonOf(await adfs.callTool(token, 'echo', { text: 'hello' }));
  };

  it('verifies tokens with the keys of the configured metadata', async () => {
    expect(await ask({ iss: TRUST })).toEqual([200, 'allowed']);
    expect(await ask({ iss: `${server.url}/adfs` })).toEqual([401, 'token_issuer']);
    expect(await ask({ iss: `${TRUST}/` })).toEqual([401, 'token_issuer']);
    expect(await ask({ iss: TRUST }, { ...(await makeKey('key-1')), kid: server.key.kid })).toEqual([
      401,
      'token_signature',
    ]);
  });

  it('sends clients to the https issuer of the metadata and relays that document', async () => {
    const resource = await adfs.get('/.well-known/oauth-protected-resource');
    expect(resource.body.authorization_servers).toEqual([`${server.url}/adfs`]);
    const relayed = await adfs.get('/.well-known/oauth-authorization-server');
    expect(relayed.body).toMatchObject({ issuer: `${server.url}/adfs` });
  });
});

it('reads Zitadel roles from the keys of the claim, limited to the configured organizations', async () => {
  const server = await TestIssuer.start();
  const place = 'urn:zitadel:iam:org:project:roles';
  const zitadel = await Gate.start({
    issuer: server,
    imports: [ProbeModule],
    database: false,
    identity: {
      issuers: [
        { issuer: server.url, audience: OURS, claims: { roles: [place] }, role_organizations: ['17'] },
      ],
    },
  });
  const ask = async (roles: unknown) => {
    const token = await server.mint(OURS, { scope: 'probe probe.admin', [place]: roles });
    return reasonOf(await zitadel.callTool(token, 'admin_only'));
  };
  expect(await ask({ admin: { '17': 'ours.example' } })).toEqual([200, 'allowed']);
  expect(await ask({ admin: { '18': 'theirs.example' } })).toEqual([403, 'role_missing']);
  expect(await ask({ admin: {} })).toEqual([403, 'role_missing']);
  expect(await ask({ admin: null })).toEqual([403, 'role_missing']);
  expect(await ask({ admin: true })).toEqual([401, 'token_claims']);
  expect(await ask({ roles: ['admin'] })).toEqual([401, 'token_claims']);
  await zitadel.close();
  await server.stop();
});
