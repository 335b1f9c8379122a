/** Opaque tokens: one issuer with introspection (RFC 7662) beside one issuer with signed tokens. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Gate, temporaryFolder, type Answer } from './support/gate.js';
import { IntrospectionEndpoint } from './support/introspection-endpoint.js';
import { makeKey, TestIssuer, type Claims } from './support/issuer.js';
import { ProbeModule, Runs } from './support/probe.tools.js';

const AUDIENCE = 'https://gate.example.com/mcp';
const SECRET = 'a secret';

const folder = temporaryFolder();
let issuer: TestIssuer;
let opaque: IntrospectionEndpoint;
let gate: Gate;

beforeAll(async () => {
  [issuer, opaque] = await Promise.all([TestIssuer.start(), IntrospectionEndpoint.start()]);
  writeFileSync(join(folder.path, 'secret'), `${SECRET}\n`);
  gate = await Gate.start({
    issuer,
    imports: [ProbeModule],
    database: false,
    identity: {
      issuers: [
        { issuer: issuer.url, audience: AUDIENCE },
        {
          issuer: opaque.issuer,
          audience: AUDIENCE,
          introspection: {
            endpoint: opaque.url,
            client_id: 'gate',
            client_secret_file: join(folder.path, 'secret'),
            cache_seconds: 2,
          },
        },
      ],
    },
  });
});
afterEach(() => (opaque.behaviour = undefined));
afterAll(async () => {
  await gate.close();
  await Promise.all([issuer.stop(), opaque.stop()]);
  folder.remove();
});

const issue = (claims: Claims = {}) => opaque.issue({ aud: AUDIENCE, scope: 'probe', ...claims });
const call = (token: string) => gate.callTool(token, 'echo', { text: 'hello' });
const reasonOf = ({ status, body }: Answer) => [status, body?.error?.data?.reason ?? 'allowed'];
const now = () => Math.floor(Date.now() / 1000);

it('introspects an active token once per cache period and accepts it as a principal', async () => {
  const token = issue({ jti: 'opaque-1' });
  const before = opaque.calls;
  for (const answer of [await call(token), await call(token), await call(token)]) {
    expect(reasonOf(answer)).toEqual([200, 'allowed']);
  }
  expect(opaque.calls - before).toBe(1);
  expect(gate.auditLog().findLast(({ event }) => event === 'decision')).toMatchObject({
    decision: 'allow',
    principal: { iss: opaque.issuer, sub: 'alice', kind: 'human', client_id: 'agent', token_id: 'opaque-1' },
    on_behalf_of: 'alice',
  });
});

it.each<[string, Claims, string]>([
  ['for another audience', { aud: 'https://other.example.com' }, 'token_audience'],
  ['for nobody', { aud: undefined }, 'token_audience'],
  ['that has expired', { iat: now() - 100, exp: now() - 50 }, 'token_expired'],
  ['without an expiry', { exp: undefined }, 'token_claims'],
  ['with an excessive lifetime', { exp: now() + 90_000 }, 'token_lifetime'],
  ['without a subject and a client', { sub: undefined, client_id: undefined }, 'token_claims'],
  ['from another issuer', { iss: 'https://other.example.com' }, 'token_issuer'],
  ['that is a refresh token', { token_type: 'refresh_token' }, 'token_type'],
  ['that is bound to a key', { cnf: { jkt: 'x' } }, 'token_binding'],
  ['that is bound to an unnamed key', { token_type: 'DPoP' }, 'token_binding'],
])('rejects an active token %s', async (_name, claims, reason) => {
  const runs = gate.app.nest.get(Runs).names.length;
  expect(reasonOf(await call(issue(claims)))).toEqual([401, reason]);
  expect(gate.auditLog().at(-1)).toMatchObject({ event: 'authentication', decision: 'deny', reason });
  expect(gate.app.nest.get(Runs).names).toHaveLength(runs);
});

it('recognizes a workload', async () => {
  expect(reasonOf(await call(issue({ sub: 'agent' })))).toEqual([403, 'human_required']);
});

it('rejects an inactive token and introspects it again at the next request', async () => {
  const token = 'not-yet-issued';
  expect(reasonOf(await call(token))).toEqual([401, 'token_revoked']);
  opaque.activate(token, { aud: AUDIENCE, scope: 'probe' });
  expect(reasonOf(await call(token))).toEqual([200, 'allowed']);
});

it('rejects a revoked token when its cache entry expires', async () => {
  const token = issue();
  expect(reasonOf(await call(token))).toEqual([200, 'allowed']);
  opaque.revoke(token);
  const revoked = Date.now();
  while (reasonOf(await call(token))[0] === 200) await new Promise((resolve) => setTimeout(resolve, 100));
  expect(Date.now() - revoked).toBeLessThan(4_000);
  expect(reasonOf(await call(token))).toEqual([401, 'token_revoked']);
});

it.each([401, 403, 500, 503])('treats status %i of the endpoint as an outage', async (status) => {
  opaque.behaviour = (response) => response.writeHead(status).end();
  const answer = await call(issue());
  expect(reasonOf(answer)).toEqual([503, 'identity_unavailable']);
  expect(answer.headers.get('retry-after')).toBeTruthy();
  expect(answer.headers.get('www-authenticate')).toBeNull();
  expect(gate.auditLog().at(-1)).toMatchObject({ reason: 'identity_unavailable' });
});

describe('introspection response without aud', () => {
  let keys: TestIssuer;
  let lemon: IntrospectionEndpoint;
  let strict: Gate;
  let trusting: Gate;

  beforeAll(async () => {
    keys = await TestIssuer.start();
    lemon = await IntrospectionEndpoint.start({ issuer: keys.url });
    const entry = (more: object) => ({
      issuer: keys.url,
      audience: AUDIENCE,
      introspection: {
        endpoint: lemon.url,
        client_id: 'gate',
        client_secret_file: join(folder.path, 'secret'),
        cache_seconds: 0,
        ...more,
      },
    });
    const start = (more: object) =>
      Gate.start({
        issuer: keys,
        imports: [ProbeModule],
        database: false,
        identity: { issuers: [entry(more)] },
      });
    [strict, trusting] = [await start({}), await start({ accept_missing_audience: true })];
  });
  afterAll(async () => {
    await strict.close();
    await trusting.close();
    await Promise.all([keys.stop(), lemon.stop()]);
  });

  /** A JWT that its endpoint reports as active, with these claims in the response. */
  async function jwt(claims: Claims = {}, answer: Claims = {}, options = {}): Promise<string> {
    const token = await keys.mint(AUDIENCE, { scope: 'probe', ...claims }, options);
    lemon.activate(token, answer);
    return token;
  }
  const echo = async (at: Gate, token: string) => {
    const before = at.app.nest.get(Runs).names.length;
    const result = reasonOf(await at.callTool(token, 'echo', { text: 'hello' }));
    const isAllowed = result[1] === 'allowed';
    expect(at.app.nest.get(Runs).names).toHaveLength(before + (isAllowed ? 1 : 0));
    if (!isAllowed) expect(at.auditLog().at(-1)).toMatchObject({ decision: 'deny', reason: result[1] });
    return result;
  };

  it('is completed from a JWT with a valid signature', async () => {
    expect(await echo(strict, await jwt({ roles: ['admin'] }))).toEqual([200, 'allowed']);
    expect(strict.auditLog().findLast(({ event }) => event === 'decision')).toMatchObject({
      principal: { sub: 'alice', scopes: ['probe'], roles: ['admin'] },
    });
    expect(await echo(strict, await jwt({}, { sub: undefined, client_id: undefined }))).toEqual([
      200,
      'allowed',
    ]);
  });

  it.each<[string, () => Promise<string>, string]>([
    ['for another audience', () => jwt({ aud: 'https://other.example.com' }), 'token_audience'],
    ['for nobody', () => jwt({ aud: undefined }), 'token_audience'],
    [
      'with a signature of an unknown key',
      async () => jwt({}, {}, { key: { ...(await makeKey('key-1')), kid: 'key-1' } }),
      'token_signature',
    ],
    ['with another type', () => jwt({}, {}, { header: { typ: 'JWT' } }), 'token_type'],
    ['that is an ID token', () => jwt({ nonce: 'n' }), 'token_type'],
    ['with a different subject', () => jwt({ sub: 'bob' }), 'token_claims'],
    [
      'with an earlier expiry than the response',
      () => jwt({ iat: now() - 100, exp: now() - 50 }),
      'token_expired',
    ],
    [
      'that is bound although the response has no binding',
      () => jwt({ cnf: { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' } }),
      'token_binding',
    ],
  ])('causes rejection of a JWT %s', async (_name, make, reason) => {
    expect(await echo(strict, await make())).toEqual([401, reason]);
  });

  it('does not make an inactive JWT valid', async () => {
    expect(await echo(strict, await keys.mint(AUDIENCE, { scope: 'probe' }))).toEqual([401, 'token_revoked']);
    expect(await echo(trusting, await keys.mint(AUDIENCE, { scope: 'probe' }))).toEqual([
      401,
      'token_revoked',
    ]);
  });

  it('causes rejection of an opaque token unless the setting accepts a missing audience', async () => {
    expect(await echo(strict, lemon.issue({ scope: 'probe' }))).toEqual([401, 'token_audience']);
    expect(await echo(trusting, lemon.issue({ scope: 'probe' }))).toEqual([200, 'allowed']);
  });

  it('does not allow another audience when the setting accepts a missing audience', async () => {
    const other = 'https://other.example.com';
    expect(await echo(trusting, lemon.issue({ scope: 'probe', aud: other }))).toEqual([
      401,
      'token_audience',
    ]);
    expect(await echo(trusting, lemon.issue({ scope: 'probe', aud: [] }))).toEqual([401, 'token_audience']);
    expect(await echo(trusting, await jwt({ aud: other }))).toEqual([401, 'token_audience']);
    expect(await echo(trusting, await jwt({ aud: undefined }))).toEqual([200, 'allowed']);
  });

  it('does not make readiness wait for keys', async () => {
    expect((await strict.get('/health/ready')).body).toMatchObject({});
    expect(JSON.stringify((await strict.get('/health/ready')).body)).not.toContain('"keys":0');
  });
});

it('sends no JWT of another issuer to the endpoint, and introspects every JWT in its own name', async () => {
  const before = opaque.calls;
  expect(reasonOf(await call(await issuer.mint(AUDIENCE, { scope: 'probe' })))).toEqual([200, 'allowed']);
  expect(opaque.calls).toBe(before);
  const forged = await issuer.mint(AUDIENCE, { iss: opaque.issuer, scope: 'probe' });
  expect(reasonOf(await call(forged))).toEqual([401, 'token_revoked']);
  expect(opaque.calls).toBe(before + 1);
});

it('sends no damaged or partial JWT of another issuer to the endpoint', async () => {
  const token = await issuer.mint(AUDIENCE, { scope: 'probe' });
  const [header, payload] = token.split('.');
  const before = opaque.calls;
  for (const damaged of [
    `${token}=`,
    `${token}.`,
    `x${token}`,
    `${token}~`,
    `${header}.${payload}`,
    `${payload}`,
  ]) {
    expect(reasonOf(await call(damaged))).toEqual([401, 'token_malformed']);
  }
  expect(opaque.calls).toBe(before);
});

it('does not wait for unused keys at readiness and reports the state of introspection', async () => {
  const shown = async () => (await gate.get('/health/ready')).body;
  await call(issue());
  expect((await shown()).checks.keys).toBe(true);
  expect((await shown()).issuers).toEqual([
    expect.objectContaining({ issuer: issuer.url, keys: 'fresh' }),
    { issuer: opaque.issuer, introspection: 'ok' },
  ]);
  opaque.behaviour = (response) => response.writeHead(500).end();
  await call(issue());
  expect((await shown()).issuers[1]).toEqual({ issuer: opaque.issuer, introspection: 'failing' });
});

it('rejects and records a token above the length limit', async () => {
  const before = opaque.calls;
  expect(reasonOf(await call('x'.repeat(15_001)))).toEqual([401, 'token_malformed']);
  expect(gate.auditLog().at(-1)).toMatchObject({ reason: 'token_malformed' });
  expect(opaque.calls).toBe(before);
});
