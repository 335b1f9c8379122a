/** Invalid tokens of every kind: the challenge, the record, and the absence of a tool run. */
import fc from 'fast-check';
import { forge } from './cases/forge.js';
import {
  FORM,
  IDENTITY,
  ISSUER_AND_AUDIENCE,
  SIGNATURE,
  soon,
  TIMES,
  TYPE,
  usualClaims,
  usualHeader,
  type World,
} from './cases/bad-tokens.js';
import { PROVIDERS } from './cases/provider-tokens.js';
import { sendRaw } from './cases/raw-http.js';
import { type Answer, type AuditLogLine, Gate, MODERN } from './support/gate.js';
import { makeKey, TestIssuer } from './support/issuer.js';
import { ProbeModule, Runs } from './support/probe.tools.js';

let issuer: TestIssuer;
let attacker: TestIssuer;
let gate: Gate;
let world: World;

beforeAll(async () => {
  [issuer, attacker] = await Promise.all([TestIssuer.start(), TestIssuer.start()]);
  const key = issuer.key;
  const rsa = await makeKey('key-rsa', 'RS256');
  issuer.keys.push(rsa);
  gate = await Gate.start({
    issuer,
    imports: [ProbeModule],
    database: false,
    env: { AUTH_ALGORITHMS: 'ES256' },
  });
  world = { issuer, attacker, key, rsa, resource: gate.url };
  // Looks up the unknown kids once in advance; concurrent look-ups take no longer than one.
  await Promise.all(SIGNATURE.map((one) => gate.callTool(one.token(world), 'echo', { text: 'hello' })));
});
afterAll(async () => {
  await gate.close();
  await Promise.all([issuer.stop(), attacker.stop()]);
});

const runsOf = ({ app }: Gate) => app.nest.get(Runs).names;

/** The parameters of a challenge except `algs`, which depends on the scheme; fails on any other format. */
function challengeOf(header: string | null | undefined, scheme = 'Bearer'): Record<string, string> {
  expect(header?.split(' ')[0]).toBe(scheme);
  expect(header).toMatch(/^\w+( [a-z_]+="[^"\\]*"(, [a-z_]+="[^"\\]*")*)?$/);
  const { algs, ...parameters } = Object.fromEntries(
    [...(header ?? '').matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name, value]) => [name, value] as const),
  ) as Record<string, string>;
  expect(algs !== undefined).toBe(scheme === 'DPoP');
  return parameters;
}

/** Discovery parameters of every 401 and 400 challenge (RFC 9728 section 5.1). */
async function whereToAsk({ origin }: Gate): Promise<{ resource_metadata: string; scope: string }> {
  const metadata = `${origin}/.well-known/oauth-protected-resource/mcp`;
  const { scopes_supported } = (await (await fetch(metadata)).json()) as { scopes_supported: string[] };
  return { resource_metadata: metadata, scope: scopes_supported.join(' ') };
}

/** The records of a request, found by the id in its response. Fails if the request left other records. */
async function recordedBy(
  at: Gate,
  send: () => Promise<Answer>,
): Promise<{ answer: Answer; lines: AuditLogLine[] }> {
  const before = (await at.settledAuditLog()).length;
  const answer = await send();
  return { answer, lines: at.auditLog().slice(before) };
}

async function expectRefused(at: Gate, token: string, reason: string): Promise<void> {
  const runs = runsOf(at).length;
  const { answer, lines } = await recordedBy(at, () => at.callTool(token, 'echo', { text: 'hello' }));

  expect({ status: answer.status, reason: answer.body?.error?.data?.reason }).toEqual({
    status: 401,
    reason,
  });
  expect(answer.body).toEqual({
    jsonrpc: '2.0',
    id: 1,
    error: {
      code: 401,
      message: expect.any(String),
      data: { reason, decision_id: expect.any(String) },
    },
  });
  const scheme = reason === 'token_binding' && /DPoP/.test(answer.body.error.message) ? 'DPoP' : 'Bearer';
  expect(challengeOf(answer.headers.get('www-authenticate'), scheme)).toEqual({
    error: 'invalid_token',
    error_description: expect.stringMatching(/^[\x20-\x7e]{1,100}$/),
    ...(await whereToAsk(at)),
  });
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(lines).toEqual([
    expect.objectContaining({
      event: 'authentication',
      decision: 'deny',
      reason,
      principal: null,
      on_behalf_of: null,
      tool: null,
      id: answer.body.error.data.decision_id,
    }),
  ]);
  expect(runsOf(at)).toHaveLength(runs);
}

async function expectAccepted(at: Gate, token: string): Promise<AuditLogLine> {
  const runs = runsOf(at).length;
  const { answer, lines } = await recordedBy(at, () => at.callTool(token, 'echo', { text: 'hello' }));
  expect({ status: answer.status, error: answer.body?.error }).toEqual({ status: 200, error: undefined });
  expect(runsOf(at).slice(runs)).toEqual(['echo']);
  const [decision] = lines;
  expect(decision).toMatchObject({ event: 'decision', decision: 'allow', tool: 'echo' });
  await at.waitForAuditLog((line) => line.event === 'outcome' && line.decision_id === decision?.id);
  return decision as AuditLogLine;
}

describe.each([
  ['form', FORM],
  ['signature', SIGNATURE],
  ['type', TYPE],
  ['issuer and audience', ISSUER_AND_AUDIENCE],
  ['times', TIMES],
  ['identity', IDENTITY],
])('token validation: %s', (_, cases) => {
  it.each(cases.map((one) => [one.name, one.expected, one] as const))(
    '%s: %s',
    async (_name, expected, one) => {
      const fetches = [issuer.jwksFetches, attacker.hits.size];
      const token = one.token(world);
      await (expected === 'accepted' ? expectAccepted(gate, token) : expectRefused(gate, token, expected));
      expect([issuer.jwksFetches, attacker.hits.size]).toEqual(fetches);
    },
  );
});

describe('credential of a request', () => {
  const echo = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: 'echo',
      arguments: { text: 'hello' },
      _meta: {
        'io.modelcontextprotocol/protocolVersion': MODERN,
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  });

  type Header = readonly [string, string];
  const missing = { status: 401, reason: 'token_missing', error: undefined };
  const unbound = { status: 401, reason: 'token_binding', error: 'invalid_token' };
  const invalid = { status: 400, reason: 'request_malformed', error: 'invalid_request' };

  const rows: [
    name: string,
    credentials: (token: string) => Header[],
    query: string,
    expected: typeof missing | typeof unbound | typeof invalid | 'accepted',
  ][] = [
    ['none', () => [], '', missing],
    ['Basic', () => [['Authorization', 'Basic YWxpY2U6c2VjcmV0']], '', missing],
    ['DPoP with an unbound token', (token) => [['Authorization', `DPoP ${token}`]], '', unbound],
    ['a token without a scheme', (token) => [['Authorization', token]], '', missing],
    ['a token in a cookie', (token) => [['Cookie', `access_token=${token}`]], '', missing],
    [
      'a token in another header',
      (token) => [
        ['X-Access-Token', token],
        ['Proxy-Authorization', `Bearer ${token}`],
      ],
      '',
      missing,
    ],
    ['an empty header', () => [['Authorization', '']], '', missing],
    ['Bearer alone', () => [['Authorization', 'Bearer']], '', missing],
    ['Bearer and spaces', () => [['Authorization', 'Bearer   ']], '', missing],
    ['DPoP alone', () => [['Authorization', 'DPoP']], '', missing],
    [
      'two headers with only the scheme Bearer',
      () => [
        ['Authorization', 'Bearer'],
        ['Authorization', 'Bearer'],
      ],
      '',
      invalid,
    ],
    ['two tokens', (token) => [['Authorization', `Bearer ${token} ${token}`]], '', invalid],
    [
      'two tokens with a comma',
      (token) => [['Authorization', `Bearer ${token}, Bearer ${token}`]],
      '',
      invalid,
    ],
    ['a quoted token', (token) => [['Authorization', `Bearer "${token}"`]], '', invalid],
    ['a token with a comma', (token) => [['Authorization', `Bearer ${token},`]], '', invalid],
    ['a token with a non-ASCII letter', (token) => [['Authorization', `Bearer ${token}\u00e9`]], '', invalid],
    [
      'two headers',
      (token) => [
        ['Authorization', `Bearer ${token}`],
        ['Authorization', `Bearer ${token}`],
      ],
      '',
      invalid,
    ],
    [
      'two headers, the first Basic',
      (token) => [
        ['Authorization', 'Basic YTpi'],
        ['Authorization', `Bearer ${token}`],
      ],
      '',
      invalid,
    ],
    [
      'two headers, the second empty',
      (token) => [
        ['Authorization', `Bearer ${token}`],
        ['authorization', ''],
      ],
      '',
      invalid,
    ],
    ['a token in the query string', () => [], '?access_token=x', invalid],
    [
      'a token in the query string and in the header',
      (token) => [['Authorization', `Bearer ${token}`]],
      '?access_token=x',
      invalid,
    ],
    [
      'a token in the query string, percent-encoded',
      (token) => [['Authorization', `Bearer ${token}`]],
      '?a=1&%61ccess_token=x',
      invalid,
    ],
    [
      'an empty token parameter in the query string',
      (token) => [['Authorization', `Bearer ${token}`]],
      '?access_token',
      invalid,
    ],
    ['the scheme in lower case', (token) => [['Authorization', `bearer ${token}`]], '', 'accepted'],
    ['the scheme in upper case', (token) => [['Authorization', `BEARER ${token}`]], '', 'accepted'],
    ['two spaces', (token) => [['Authorization', `Bearer  ${token}`]], '', 'accepted'],
    ['a query string without a token', (token) => [['Authorization', `Bearer ${token}`]], '?a=1', 'accepted'],
  ];

  it.each(rows)('is accepted or rejected as documented: %s', async (_name, credentials, query, expected) => {
    const [before, runs] = [gate.auditLog().length, runsOf(gate).length];
    const answer = await sendRaw(gate.origin, {
      line: `POST /mcp${query} HTTP/1.1`,
      headers: [
        ['Host', new URL(gate.origin).host],
        ['Content-Type', 'application/json'],
        ['Content-Length', String(echo.length)],
        ['Accept', 'application/json, text/event-stream'],
        ['MCP-Protocol-Version', MODERN],
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', 'echo'],
        ...credentials(forge({ header: usualHeader(world), claims: usualClaims(world) }, world.key)),
      ],
      body: echo,
    });
    if (expected === 'accepted') {
      expect(answer.status).toBe(200);
      expect(runsOf(gate)).toHaveLength(runs + 1);
      await gate.waitForAuditLog((line) => line.seq > before && line.event === 'outcome');
      return;
    }
    const { status, reason, error } = expected;
    expect({
      status: answer.status,
      code: answer.body?.error?.code,
      reason: answer.body?.error?.data?.reason,
    }).toEqual({
      status,
      code: status,
      reason,
    });
    expect(answer.body.id).toBe(1);
    const { scope, ...metadata } = await whereToAsk(gate);
    expect(challengeOf(answer.headers['www-authenticate'])).toEqual({
      ...metadata,
      ...(status === 401 && { scope }),
      ...(error && { error, error_description: expect.any(String) }),
    });
    expect(gate.auditLog().slice(before)).toEqual([
      expect.objectContaining({ event: 'authentication', decision: 'deny', reason, principal: null }),
    ]);
    expect(runsOf(gate)).toHaveLength(runs);
  });
});

describe('workload tokens', () => {
  const workload = { sub: 'agent', client_id: 'agent' };
  const rows: [name: string, claims: object, tool: string, status: number, reason: string | undefined][] = [
    ['sub equal to the client and a tool for users', workload, 'echo', 403, 'human_required'],
    ['sub equal to the client and a tool with @AllowWorkload', workload, 'machine', 200, undefined],
    [
      'sub equal to the client, without the scope of an @AllowWorkload tool',
      { ...workload, scope: 'other' },
      'machine',
      403,
      'scope_missing',
    ],
    ['idtyp=app', { idtyp: 'app' }, 'echo', 403, 'human_required'],
    ['gty=client-credentials', { gty: 'client-credentials' }, 'echo', 403, 'human_required'],
    ['gty=client_credentials', { gty: 'client_credentials' }, 'echo', 403, 'human_required'],
    ['a user as the actor', { ...workload, act: { sub: 'alice' } }, 'echo', 403, 'human_required'],
    [
      'every scope and role',
      { ...workload, scope: 'probe probe.admin', roles: ['admin'] },
      'admin_only',
      403,
      'human_required',
    ],
  ];

  it.each(rows)('are allowed or denied as documented: %s', async (_name, claims, tool, status, reason) => {
    const runs = runsOf(gate).length;
    const token = forge(
      { header: usualHeader(world), claims: { ...usualClaims(world), ...claims } },
      world.key,
    );
    const args = tool === 'echo' ? { text: 'hello' } : {};
    const { answer, lines } = await recordedBy(gate, () => gate.callTool(token, tool, args));
    expect({ status: answer.status, reason: answer.body?.error?.data?.reason }).toEqual({ status, reason });
    expect(lines[0]).toMatchObject({
      event: 'decision',
      reason: reason ?? null,
      principal: { kind: 'workload' },
      on_behalf_of: null,
    });
    expect(runsOf(gate)).toHaveLength(runs + (status === 200 ? 1 : 0));
    // No scope can turn a workload into a user.
    expect(answer.headers.has('www-authenticate')).toBe(reason === 'scope_missing');
    if (status === 200)
      await gate.waitForAuditLog((line) => line.event === 'outcome' && line.decision_id === lines[0]?.id);
  });
});

describe('mutations of a valid token', () => {
  const character = fc.constantFrom(
    ...Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+/='),
  );
  const segments = (change: (parts: string[]) => string[]) => (token: string) =>
    change(token.split('.')).join('.');

  const mutation: fc.Arbitrary<(token: string) => string> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.tuple(fc.nat(2000), character).map(([at, by]) => (token: string) => {
        const position = at % token.length;
        return token.slice(0, position) + by + token.slice(position + 1);
      }),
    },
    fc.tuple(fc.nat(2000), character).map(([at, by]) => (token: string) => {
      const position = at % token.length;
      return token.slice(0, position) + by + token.slice(position);
    }),
    fc
      .nat(2000)
      .map(
        (at) => (token: string) => token.slice(0, at % token.length) + token.slice((at % token.length) + 1),
      ),
    fc.nat(2000).map((length) => (token: string) => token.slice(0, length % token.length)),
    fc.nat(2).map((dropped) => segments((parts) => parts.filter((_, at) => at !== dropped))),
    fc
      .nat(2)
      .map((twice) =>
        segments((parts) => parts.flatMap((part, at) => (at === twice ? [part, part] : [part]))),
      ),
    fc.nat(2).map((emptied) => segments((parts) => parts.map((part, at) => (at === emptied ? '' : part)))),
    fc
      .shuffledSubarray([0, 1, 2])
      .map((order) => segments((parts) => order.map((at) => parts[at] as string))),
    fc.nat(2000).map((at) => (token: string) => {
      const position = at % token.length;
      const old = token.charAt(position);
      const other = old === old.toLowerCase() ? old.toUpperCase() : old.toLowerCase();
      return token.slice(0, position) + other + token.slice(position + 1);
    }),
  );

  it('are never accepted and cause no server error in 500 runs', async () => {
    const token = forge({ header: usualHeader(world), claims: usualClaims(world) }, world.key);
    const runs = runsOf(gate).length;
    await fc.assert(
      fc.asyncProperty(mutation, async (mutate) => {
        const mutated = mutate(token);
        if (mutated === token) return;
        const answer = await gate.callTool(mutated, 'echo', { text: 'hello' });
        expect([400, 401]).toContain(answer.status);
        expect(answer.body.error.data.reason).toMatch(
          /^(token_(missing|malformed|algorithm|signature|type|issuer)|request_malformed)$/,
        );
      }),
      { numRuns: 500 },
    );
    expect(runsOf(gate)).toHaveLength(runs);
    expect(attacker.hits.size).toBe(0);
  });
});

describe('validation without a clock tolerance', () => {
  let strict: Gate;
  beforeAll(async () => {
    strict = await Gate.start({
      issuer,
      imports: [ProbeModule],
      database: false,
      env: { AUTH_CLOCK_TOLERANCE_SECONDS: '0' },
    });
  });
  afterAll(() => strict.close());

  const token = (claims: object, key = world.key) =>
    forge(
      {
        header: { alg: key.alg, kid: key.kid, typ: 'at+jwt' },
        claims: { ...usualClaims({ ...world, resource: strict.url }), ...claims },
      },
      key,
    );

  it.each([
    ['expires at this second', () => ({ iat: soon(-60), exp: soon(0) }), 'token_expired'],
    ['was issued two seconds in the future', () => ({ iat: soon(2) }), 'token_not_yet_valid'],
    ['becomes valid in two seconds', () => ({ nbf: soon(2) }), 'token_not_yet_valid'],
  ])('rejects a token that %s', (_name, claims, reason) => expectRefused(strict, token(claims()), reason));

  it('accepts a token that was issued and became valid at this second', () =>
    expectAccepted(strict, token({ iat: soon(0), nbf: soon(0) })));

  it('accepts RS256 when AUTH_ALGORITHMS is not set', () => expectAccepted(strict, token({}, world.rsa)));
});

/** One gateway for all cases: each case has its own issuer with the keys of its provider. */
describe('provider presets', () => {
  const all = PROVIDERS.flatMap(({ cases, ...provider }, at) =>
    cases.map((one, index) => ({ ...one, provider, path: `/${at}/${index}${provider.issuerPath}` })),
  );
  let theirs: Gate;
  let keys: TestIssuer;
  const nameOf = (path: string) => keys.url + path;

  beforeAll(async () => {
    keys = await TestIssuer.start();
    keys.keys.splice(0, 1, await makeKey('provider-key', 'RS256'));
    theirs = await Gate.start({
      issuer: keys,
      imports: [ProbeModule],
      database: false,
      identity: {
        issuers: all.map(({ provider, path, settings }) => ({
          issuer: nameOf(path),
          preset: provider.preset,
          audience: provider.audience,
          jwks_uri: `${keys.url}/jwks`,
          ...settings,
        })),
      },
    });
  });
  afterAll(async () => {
    await theirs.close();
    await keys.stop();
  });

  it.each(all.map((one) => [one.provider.preset, one.name, one] as const))(
    'read a token of %s: %s',
    async (_preset, _name, { header, claims, expected, provider: { alg }, path }) => {
      const token = forge(
        {
          header: { alg, kid: keys.key.kid, ...header },
          claims: { iss: nameOf(path), iat: soon(0), exp: soon(300), ...claims },
        },
        keys.key,
      );
      if (typeof expected === 'string' && expected.startsWith('token_')) {
        await expectRefused(theirs, token, expected);
      } else if (typeof expected === 'string') {
        const runs = runsOf(theirs).length;
        const { answer, lines } = await recordedBy(theirs, () =>
          theirs.callTool(token, 'echo', { text: 'hello' }),
        );
        expect({ status: answer.status, reason: answer.body?.error?.data?.reason }).toEqual({
          status: 403,
          reason: expected,
        });
        expect(lines).toHaveLength(1);
        expect(runsOf(theirs)).toHaveLength(runs);
      } else {
        expect((await expectAccepted(theirs, token)).principal).toMatchObject(expected);
      }
    },
  );
});
