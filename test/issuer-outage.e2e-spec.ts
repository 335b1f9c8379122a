/**
 * An identity provider that is unreachable, slow or faulty causes 503, never 401; recovery needs no restart.
 */
import { Agent, createServer, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Gate } from './support/gate.js';
import { makeKey, type SigningKey, TestIssuer } from './support/issuer.js';
import { ProbeModule } from './support/probe.tools.js';
import { echo, expectUnavailable, runsOf, until, wait } from './support/outages.js';

/** Moves only the clock forward. The offset never decreases within a file. */
let ahead = 0;
function moveClock(ms: number): void {
  ahead += ms;
  const timers = [
    'hrtime',
    'nextTick',
    'performance',
    'queueMicrotask',
    'setImmediate',
    'clearImmediate',
    'setInterval',
    'clearInterval',
    'setTimeout',
    'clearTimeout',
  ] as const;
  jest.useFakeTimers({
    now: Math.floor(performance.timeOrigin + performance.now()) + ahead,
    doNotFake: [...timers],
  });
}
afterAll(() => jest.useRealTimers());

describe('issuer that is unreachable at startup', () => {
  let gate: Gate;
  let issuer: TestIssuer;

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    await issuer.stop();
    gate = await Gate.start({ issuer, imports: [ProbeModule] });
  });
  afterAll(() => gate.close());

  it('leaves the server alive, not ready and denying', async () => {
    const token = await gate.token({ scope: 'probe' });
    expect((await gate.get('/health/live')).status).toBe(200);
    expect((await gate.get('/health/ready')).body).toMatchObject({
      checks: { keys: false, audit_log: true },
    });
    const answer = await echo(gate, token);
    expectUnavailable(answer, 'identity_unavailable');
    expect(gate.auditLog()).toEqual([
      expect.objectContaining({
        event: 'authentication',
        decision: 'deny',
        reason: 'identity_unavailable',
        principal: null,
      }),
    ]);
    expect(runsOf(gate)).toEqual([]);
    expect((await gate.get('/.well-known/oauth-protected-resource')).status).toBe(200);
    expect((await gate.get('/.well-known/oauth-authorization-server')).status).toBe(503);
  });

  it('does not change the rejection of a token from another issuer', async () => {
    const answer = await echo(gate, await gate.token({ iss: 'https://other.example' }));
    expect([answer.status, answer.body.error.data.reason]).toEqual([401, 'token_issuer']);
  });

  it('is used without a restart when it recovers', async () => {
    const back = await TestIssuer.start(Number(new URL(issuer.url).port));
    try {
      // Retries occur after some seconds, not with every request.
      await until(async () => (await gate.get('/health/ready')).status === 200);
      expect((await echo(gate, await back.mint(gate.url, { scope: 'probe' }))).status).toBe(200);
    } finally {
      await back.stop();
    }
  });
});

describe('keys of an issuer', () => {
  let gate: Gate;
  let issuer: TestIssuer;

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    gate = await Gate.start({ issuer, imports: [ProbeModule] });
  });
  afterAll(async () => {
    await gate.close();
    await issuer.stop();
  });

  /** Each test starts with freshly fetched keys. */
  beforeEach(async () => {
    issuer.failing = undefined;
    moveClock(11 * 60_000);
    expect((await echo(gate, await gate.token({ scope: 'probe' }))).status).toBe(200);
  });

  it('work during an outage, and an unknown key then counts as an outage', async () => {
    issuer.failing = 503;
    const known = await gate.token({ scope: 'probe' });
    expect((await echo(gate, known)).status).toBe(200);
    moveClock(31_000);
    const unknown = await gate.token({ scope: 'probe' }, { key: await makeKey('key-2') });
    expectUnavailable(await echo(gate, unknown), 'identity_unavailable');
    expect((await echo(gate, known)).status).toBe(200);
    expect((await gate.get('/health/ready')).status).toBe(200);
  });

  it('are accepted after one fetch when new and rejected ten minutes after withdrawal', async () => {
    const old = await gate.token({ scope: 'probe', exp: Math.floor(Date.now() / 1000) + 3000 });
    const before = issuer.jwksFetches;
    issuer.keys.push(await makeKey('key-2'));
    moveClock(31_000);
    expect((await echo(gate, await gate.token({ scope: 'probe' }))).status).toBe(200);
    expect(issuer.jwksFetches).toBe(before + 1);
    expect((await echo(gate, old)).status).toBe(200);

    issuer.keys.shift();
    moveClock(11 * 60_000);
    const answer = await echo(gate, old);
    expect([answer.status, answer.body.error.data.reason]).toEqual([401, 'token_signature']);
    expect(issuer.jwksFetches - before).toBeLessThanOrEqual(3);
  });

  it('are fetched again after one rejected token when they changed without a new key id', async () => {
    const { kid } = issuer.key;
    issuer.keys.splice(0, issuer.keys.length, await makeKey(kid));
    moveClock(31_000);
    expect((await echo(gate, await gate.token({ scope: 'probe' }))).body.error.data.reason).toBe(
      'token_signature',
    );
    await until(async () => (await echo(gate, await gate.token({ scope: 'probe' }))).status === 200);
  });

  it('are fetched at most twice for hundreds of unknown key ids', async () => {
    const before = issuer.jwksFetches;
    moveClock(31_000);
    const stranger = await makeKey('stranger');
    const tokens = await Promise.all(
      Array.from({ length: 200 }, (_, at) => gate.token({}, { key: stranger, header: { kid: `kid-${at}` } })),
    );
    const answers = await Promise.all(tokens.map((token) => echo(gate, token)));
    expect(new Set(answers.map(({ body }) => body.error.data.reason))).toEqual(new Set(['token_signature']));
    expect(issuer.jwksFetches - before).toBeLessThanOrEqual(2);
    expect((await echo(gate, await gate.token({ scope: 'probe' }))).status).toBe(200);
  });

  it('are fetched at most three times for hundreds of unknown key ids during an outage', async () => {
    const before = issuer.jwksFetches;
    issuer.failing = 500;
    moveClock(31_000);
    const stranger = await makeKey('stranger');
    for (let at = 0; at < 50; at++) {
      await echo(gate, await gate.token({}, { key: stranger, header: { kid: `kid-${at}` } }));
    }
    expect(issuer.jwksFetches - before).toBeLessThanOrEqual(3);
  });
});

/** Issuer host with scripted responses. */
class ScriptedHost {
  readonly asked: string[] = [];
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(
    script: (path: string, response: ServerResponse, url: string) => void,
  ): Promise<ScriptedHost> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const host = new ScriptedHost(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('request', (request, response) => {
      host.asked.push(request.url ?? '');
      script(request.url ?? '', response, host.url);
    });
    return host;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const json = (response: ServerResponse, document: unknown, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));

type KeySetCase = [
  name: string,
  answer: (response: ServerResponse, key: SigningKey, url: string) => void,
  expected: 200 | 503,
];

const KEY_SETS: KeySetCase[] = [
  ['the keys', (response, { jwk }) => json(response, { keys: [jwk] }), 200],
  ['no JSON', (response) => response.end('<html>busy</html>'), 503],
  ['nothing', (response) => response.end(), 503],
  ['null', (response) => json(response, null), 503],
  ['a list', (response, { jwk }) => json(response, [jwk]), 503],
  ['a key set that is not a list', (response) => json(response, { keys: 'none' }), 503],
  ['404', (response, { jwk }) => json(response, { keys: [jwk] }, 404), 503],
  ['500', (response) => json(response, {}, 500), 503],
  ['206', (response, { jwk }) => json(response, { keys: [jwk] }, 206), 503],
  [
    'a redirect to the key set',
    (response, _key, url) => response.writeHead(302, { location: `${url}/elsewhere` }).end(),
    503,
  ],
  ['600 KB', (response, { jwk }) => json(response, { keys: [jwk], padding: 'x'.repeat(600 * 1024) }), 503],
  ['an endless key set', (response) => flood(response.writeHead(200)), 503],
  ['never', () => undefined, 503],
  ['one byte per second', (response) => trickle(response.writeHead(200)), 503],
  ['a broken connection', (response) => response.destroy(), 503],
  ['an empty key set', (response) => json(response, { keys: [] }), 503],
  [
    'a usable key among keys of unknown types',
    (response, { jwk }) =>
      json(response, {
        keys: [{ kty: 'UNKNOWN', kid: 'a' }, {}, { kty: 'oct', k: 'AA', kid: jwk.kid }, jwk],
      }),
    200,
  ],
  [
    'a usable key among malformed keys',
    (response, { jwk }) =>
      json(response, {
        keys: [
          { kty: 'EC', crv: 'P-256', x: '!', y: '!', kid: 'b', alg: 'ES256' },
          { kty: 'RSA', kid: 'c' },
          jwk,
        ],
      }),
    200,
  ],
  [
    'a usable key after a malformed key with the same id',
    (response, { jwk }) => json(response, { keys: [{ ...jwk, x: 'AA' }, jwk] }),
    200,
  ],
  [
    'a usable key among values that are not keys',
    (response, { jwk }) => json(response, { keys: [null, 'key', 7, jwk] }),
    200,
  ],
];

function flood(response: ServerResponse): void {
  const more = () => {
    while (!response.destroyed && response.write('x'.repeat(64 * 1024)));
  };
  response.on('drain', more);
  more();
}

/** Collects garbage meanwhile: the deadline must not depend on an object without references. */
function trickle(response: ServerResponse): void {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const timer = setInterval(() => {
    response.write(' ');
    collectGarbage();
  }, 500);
  const end = setTimeout(() => response.destroy(), 10_000);
  response.on('close', () => [timer, end].forEach((one) => clearTimeout(one)));
}

type MetadataCase = [name: string, document: (url: string, port: string) => unknown, expected: 200 | 503];

const METADATA: MetadataCase[] = [
  ['its own', (url) => ({ issuer: url, jwks_uri: `${url}/jwks` }), 200],
  ['another issuer', (url) => ({ issuer: 'https://other.example', jwks_uri: `${url}/jwks` }), 503],
  ['an issuer with a trailing slash', (url) => ({ issuer: `${url}/`, jwks_uri: `${url}/jwks` }), 503],
  ['no issuer', (url) => ({ jwks_uri: `${url}/jwks` }), 503],
  ['no keys', (url) => ({ issuer: url }), 503],
  ['a list as jwks_uri', (url) => ({ issuer: url, jwks_uri: [`${url}/jwks`] }), 503],
  ['a file URL as jwks_uri', (url) => ({ issuer: url, jwks_uri: 'file:///etc/passwd' }), 503],
  ['keys inline', (url) => ({ issuer: url, jwks_uri: 'data:application/json,{"keys":[]}' }), 503],
  [
    'a plain HTTP jwks_uri outside loopback',
    (url, port) => ({ issuer: url, jwks_uri: `http://0.0.0.0:${port}/jwks` }),
    503,
  ],
  ['null', () => null, 503],
  ['a text', () => 'metadata', 503],
];

interface OddCase {
  readonly name: string;
  readonly expected: 200 | 503;
  readonly keys: KeySetCase[1] | undefined;
  readonly metadata: MetadataCase[1] | undefined;
}

describe.each([
  [
    'AUTH_JWKS_URI',
    KEY_SETS.map(([name, answer, expected]) => ({ name, expected, keys: answer, metadata: undefined })),
  ],
  [
    'metadata',
    METADATA.map(([name, document, expected]) => ({ name, expected, keys: undefined, metadata: document })),
  ],
] as [string, OddCase[]][])('issuer with unusual %s', (from, cases) => {
  let gate: Gate;
  let host: ScriptedHost;
  let issuer: TestIssuer;
  let key: SigningKey;
  let current: OddCase;

  beforeAll(async () => {
    [key, issuer] = await Promise.all([makeKey('key-1'), TestIssuer.start()]);
    host = await ScriptedHost.start((path, response, url) => {
      if (current.keys) current.keys(response, key, url);
      else if (path === '/jwks') json(response, { keys: [key.jwk] });
      else json(response, current.metadata?.(url, new URL(url).port));
    });
    current = { name: 'down', expected: 503, keys: (response) => response.destroy(), metadata: undefined };
    gate = await Gate.start({
      issuer,
      imports: [ProbeModule],
      env: { AUTH_ISSUER: host.url, ...(from === 'AUTH_JWKS_URI' && { AUTH_JWKS_URI: `${host.url}/jwks` }) },
    });
  });
  afterAll(async () => {
    await gate.close();
    await Promise.all([host.stop(), issuer.stop()]);
  });

  // Rejected cases run first: after a success the gateway keeps fetching keys from that address until a
  // restart.
  const ordered = [
    ...cases.filter(({ expected }) => expected === 503),
    ...cases.filter(({ expected }) => expected === 200),
  ];

  it.each(ordered.map((one) => [one.name, one.expected, one] as const))(
    'returns for %s: %d',
    async (_name, expected, one) => {
      current = one;
      // Expires the state of the previous case.
      moveClock(11 * 60_000);
      const token = await issuer.mint(gate.url, { iss: host.url, scope: 'probe' }, { key });
      const [before, ran] = [gate.auditLog().length, runsOf(gate).length];
      const begin = performance.now();
      const answer = await echo(gate, token);
      expect(performance.now() - begin).toBeLessThan(7_000);
      if (expected === 200) {
        // The previous case may have just failed, so the gateway delays the next fetch.
        await until(async () => (await echo(gate, token)).status === 200);
        expect(runsOf(gate).length).toBeGreaterThan(ran);
        return;
      }
      expectUnavailable(answer, 'identity_unavailable');
      expect(runsOf(gate)).toHaveLength(ran);
      expect(gate.auditLog().slice(before)).toEqual([
        expect.objectContaining({
          event: 'authentication',
          decision: 'deny',
          reason: 'identity_unavailable',
        }),
      ]);
      expect(host.asked).not.toContain('/elsewhere');
      expect((await gate.get('/health/ready')).status).toBe(503);
    },
    40_000,
  );
});

it('finishes a running request during shutdown and accepts no further one on its connection', async () => {
  const gate = await Gate.start({ database: false, imports: [ProbeModule] });
  const agent = new Agent({ keepAlive: true });
  // An unknown key delays the response until the next permitted key fetch.
  const token = await gate.token({ scope: 'probe' }, { key: await makeKey('unknown') });
  const answer = new Promise<number | undefined>((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    };
    request(gate.url, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode));
    })
      .once('error', reject)
      .end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }));
  });
  await wait(200);
  const closed = gate.close();
  expect(await answer).toBe(401);
  const answered = performance.now();
  await closed;
  expect(performance.now() - answered).toBeLessThan(5_000);
  agent.destroy();
});
