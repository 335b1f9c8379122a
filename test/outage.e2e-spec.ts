/** What happens when something that the gate leans on is gone, slow or wrong: it denies, says so, and recovers. */
import { readFileSync, renameSync, symlinkSync } from 'node:fs';
import { Agent, createServer, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decodeVerified } from '../src/audit/chain.js';
import { freePort, Gate, temporaryFolder, type Answer, type AuditLogLine } from './support/gate.js';
import { hangingDisk } from './support/hanging-disk.js';
import { makeKey, TestIssuer, type SigningKey } from './support/issuer.js';
import { ProbeModule, Runs } from './support/probe.tools.js';

const runsOf = ({ app }: Gate) => app.nest.get(Runs).names;
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let left = 300; !(await holds()); left--) {
    if (left === 0) throw new Error('It never came true');
    await wait(100);
  }
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function expectUnavailable(answer: Answer, reason: string): void {
  expect({
    status: answer.status,
    code: answer.body?.error?.code,
    reason: answer.body?.error?.data?.reason,
  }).toEqual({
    status: 503,
    code: 503,
    reason,
  });
  expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d{0,2}$/);
  expect(answer.headers.has('www-authenticate')).toBe(false);
  expect(answer.body.error.message).not.toMatch(/127\.0\.0\.1|ECONN|fetch|ENOSPC|\//);
}

const echo = (gate: Gate, token: string) => gate.callTool(token, 'echo', { text: 'hello' });

/** Moves the clock, and nothing but the clock; it never goes back within a file. */
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

describe('an issuer that is down when the server starts', () => {
  let gate: Gate;
  let issuer: TestIssuer;

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    await issuer.stop();
    gate = await Gate.start({ issuer, imports: [ProbeModule] });
  });
  afterAll(() => gate.close());

  it('the server lives, is not ready, and denies', async () => {
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

  it('a token of another issuer is still told from an outage', async () => {
    const answer = await echo(gate, await gate.token({ iss: 'https://other.example' }));
    expect([answer.status, answer.body.error.data.reason]).toEqual([401, 'token_issuer']);
  });

  it('works when the issuer is back, without a restart', async () => {
    const back = await TestIssuer.start(Number(new URL(issuer.url).port));
    try {
      // It is asked again after some seconds, not with every request.
      await until(async () => (await gate.get('/health/ready')).status === 200);
      expect((await echo(gate, await back.mint(gate.url, { scope: 'probe' }))).status).toBe(200);
    } finally {
      await back.stop();
    }
  });
});

describe('keys', () => {
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

  /** Each test begins with keys that were fetched just now. */
  beforeEach(async () => {
    issuer.failing = undefined;
    moveClock(11 * 60_000);
    expect((await echo(gate, await gate.token({ scope: 'probe' }))).status).toBe(200);
  });

  it('that are known keep working while the issuer is down; an unknown one is its outage, not the token’s fault', async () => {
    issuer.failing = 503;
    const known = await gate.token({ scope: 'probe' });
    expect((await echo(gate, known)).status).toBe(200);
    moveClock(31_000);
    const unknown = await gate.token({ scope: 'probe' }, { key: await makeKey('key-2') });
    expectUnavailable(await echo(gate, unknown), 'identity_unavailable');
    expect((await echo(gate, known)).status).toBe(200);
    expect((await gate.get('/health/ready')).status).toBe(200);
  });

  it('that are new are accepted after one fetch; those taken back are not, ten minutes later', async () => {
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

  it('that were changed under their old names are seen after the first token, which is refused', async () => {
    const { kid } = issuer.key;
    issuer.keys.splice(0, issuer.keys.length, await makeKey(kid));
    moveClock(31_000);
    expect((await echo(gate, await gate.token({ scope: 'probe' }))).body.error.data.reason).toBe(
      'token_signature',
    );
    await until(async () => (await echo(gate, await gate.token({ scope: 'probe' }))).status === 200);
  });

  it('unknown by the hundreds cause no storm', async () => {
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

  it('unknown by the hundreds while the issuer is down cause no storm either', async () => {
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

/** An issuer's host that answers as a test says. */
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
  ['keys that are no list', (response) => json(response, { keys: 'none' }), 503],
  ['404', (response, { jwk }) => json(response, { keys: [jwk] }, 404), 503],
  ['500', (response) => json(response, {}, 500), 503],
  ['206', (response, { jwk }) => json(response, { keys: [jwk] }, 206), 503],
  [
    'a redirect to the keys',
    (response, _key, url) => response.writeHead(302, { location: `${url}/elsewhere` }).end(),
    503,
  ],
  ['600 KB', (response, { jwk }) => json(response, { keys: [jwk], padding: 'x'.repeat(600 * 1024) }), 503],
  ['without an end', (response) => flood(response.writeHead(200)), 503],
  ['never', () => undefined, 503],
  ['a byte every second', (response) => trickle(response.writeHead(200)), 503],
  ['a broken connection', (response) => response.destroy(), 503],
  ['no keys at all', (response) => json(response, { keys: [] }), 503],
  [
    'the key among keys of unknown kinds',
    (response, { jwk }) =>
      json(response, {
        keys: [{ kty: 'UNKNOWN', kid: 'a' }, {}, { kty: 'oct', k: 'AA', kid: jwk.kid }, jwk],
      }),
    200,
  ],
  [
    'the key among broken ones',
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
    'the key behind a broken one of its name',
    (response, { jwk }) => json(response, { keys: [{ ...jwk, x: 'AA' }, jwk] }),
    200,
  ],
  [
    'the key among things that are no keys',
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

/** With garbage collected meanwhile: a deadline must not depend on an object that nobody holds. */
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
  ['itself with a slash', (url) => ({ issuer: `${url}/`, jwks_uri: `${url}/jwks` }), 503],
  ['no issuer', (url) => ({ jwks_uri: `${url}/jwks` }), 503],
  ['no keys', (url) => ({ issuer: url }), 503],
  ['keys in a list', (url) => ({ issuer: url, jwks_uri: [`${url}/jwks`] }), 503],
  ['keys in a file', (url) => ({ issuer: url, jwks_uri: 'file:///etc/passwd' }), 503],
  ['keys inline', (url) => ({ issuer: url, jwks_uri: 'data:application/json,{"keys":[]}' }), 503],
  [
    'keys over plain HTTP from beyond loopback',
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
] as [string, OddCase[]][])('an issuer that answers oddly: %s', (from, cases) => {
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

  // What is refused comes first: a key set once had is asked for from the same place until a restart.
  const ordered = [
    ...cases.filter(({ expected }) => expected === 503),
    ...cases.filter(({ expected }) => expected === 200),
  ];

  it.each(ordered.map((one) => [one.name, one.expected, one] as const))(
    '%s: %d',
    async (_name, expected, one) => {
      current = one;
      // Whatever was kept of the case before is too old by then.
      moveClock(11 * 60_000);
      const token = await issuer.mint(gate.url, { iss: host.url, scope: 'probe' }, { key });
      const [before, ran] = [gate.auditLog().length, runsOf(gate).length];
      const begin = performance.now();
      const answer = await echo(gate, token);
      expect(performance.now() - begin).toBeLessThan(7_000);
      if (expected === 200) {
        // It may be that the case before has just failed, and is not asked again at once.
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

it('a server that closes answers what is asked, and does not wait for a next request on that connection', async () => {
  const gate = await Gate.start({ database: false, imports: [ProbeModule] });
  const agent = new Agent({ keepAlive: true });
  // With a key that nobody knows the answer takes until the keys may be fetched again.
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

describe('an audit log that cannot be written', () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());

  const fileOf = (onFailure: string) => join(folder.path, `${onFailure}.jsonl`);
  /** An audit log that is moved away cannot be written, until it is moved back. */
  const away = (file: string) => renameSync(file, `${file}.away`);
  const back = (file: string) => renameSync(`${file}.away`, file);
  const startWith = (onFailure: string) =>
    Gate.start({
      imports: [ProbeModule],
      database: false,
      env: { AUDIT_FILE: fileOf(onFailure), AUDIT_ON_FAILURE: onFailure },
    });

  /** The whole audit log, its chain held. */
  function chainOf(file: string): AuditLogLine[] {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n').map(decodeVerified) as AuditLogLine[];
    lines.forEach((line, at) => {
      expect(line).toMatchObject({ seq: at + 1, prev: lines[at - 1]?.hash ?? null });
    });
    return lines;
  }

  async function waitForGap(file: string): Promise<AuditLogLine[]> {
    for (let left = 100; left > 0; left--) {
      const lines = chainOf(file);
      if (lines.some(({ change }) => change?.what === 'gap')) return lines;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('The gap was never recorded');
  }

  it.each(['deny', 'allow'])('from the start: AUDIT_ON_FAILURE=%s', async (onFailure) => {
    const file = join(folder.path, `full-${onFailure}.jsonl`);
    symlinkSync('/dev/full', file);
    const starting = Gate.start({
      imports: [ProbeModule],
      database: false,
      env: { AUDIT_FILE: file, AUDIT_ON_FAILURE: onFailure },
    });
    if (onFailure === 'deny') {
      await expect(starting).rejects.toThrow('ENOSPC');
      return;
    }
    const gate = await starting;
    const token = await gate.token({ scope: 'probe' });
    expect((await echo(gate, token)).status).toBe(200);
    expect((await gate.get('/health/ready')).body).toMatchObject({ checks: { audit_log: false } });
    await gate.close();
  });

  describe('AUDIT_ON_FAILURE=deny', () => {
    let gate: Gate;
    let token: string;
    beforeAll(async () => {
      gate = await startWith('deny');
      token = await gate.token({ scope: 'probe probe.admin', roles: ['admin'] });
      away(fileOf('deny'));
    });
    afterAll(() => gate.close());

    it.each([
      ['tools/call', { name: 'echo', arguments: { text: 'hello' } }],
      ['tools/call', { name: 'admin_only', arguments: {} }],
      ['tools/call', { name: 'echo', arguments: {} }],
      ['tools/list', {}],
      ['prompts/get', { name: 'greet', arguments: { name: 'Ada' } }],
      ['prompts/list', {}],
      ['resources/read', { uri: 'docs://handbook' }],
      ['resources/list', {}],
    ])('%s %j: 503', async (method, params) => {
      expectUnavailable(await gate.modern(token, method, params), 'audit_unavailable');
      expectUnavailable(await gate.legacy(token, method, params), 'audit_unavailable');
      expect(runsOf(gate)).toEqual([]);
    });

    it('twenty at once: not one passes', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => echo(gate, token)));
      for (const answer of answers) expectUnavailable(answer, 'audit_unavailable');
      expect(runsOf(gate)).toEqual([]);
    });

    it('a refusal stays a refusal', async () => {
      expect((await echo(gate, 'bad')).status).toBe(401);
      expect((await echo(gate, await gate.token({ scope: '' }))).status).toBe(403);
      expect(runsOf(gate)).toEqual([]);
    });

    it('is not ready, and lives', async () => {
      expect((await gate.get('/health/ready')).body).toMatchObject({ checks: { audit_log: false } });
      expect((await gate.get('/health/live')).status).toBe(200);
    });

    it('goes on when it can be written again, and has on record what was refused meanwhile', async () => {
      const refused = 8 * 2 + 20 + 2;
      back(fileOf('deny'));
      const lines = await waitForGap(fileOf('deny'));
      const gap = lines.findIndex(({ change }) => change?.what === 'gap');
      expect(lines[gap]?.change).toMatchObject({ late: refused, lost: {} });
      const late = lines.slice(gap + 1, gap + 1 + refused);
      expect(late.every(({ decision }) => decision === 'deny')).toBe(true);
      expect(late.filter(({ reason }) => reason === 'audit_unavailable')).toHaveLength(refused - 2);
      expect((await echo(gate, token)).status).toBe(200);
      expect((await gate.get('/health/ready')).body).toMatchObject({ checks: { audit_log: true } });
    });
  });

  it('AUDIT_ON_FAILURE=allow: calls go on, refusals too', async () => {
    const gate = await startWith('allow');
    const token = await gate.token({ scope: 'probe' });
    away(fileOf('allow'));
    expect((await echo(gate, token)).status).toBe(200);
    expect((await gate.modern(token, 'tools/list')).status).toBe(200);
    expect(runsOf(gate)).toEqual(['echo']);
    expect((await echo(gate, 'bad')).status).toBe(401);
    expect((await gate.callTool(token, 'admin_only')).status).toBe(403);
    expect(gate.app.settings.notices.join()).toContain('AUDIT_ON_FAILURE=allow');

    back(fileOf('allow'));
    const lines = await waitForGap(fileOf('allow'));
    const gap = lines.findIndex(({ change }) => change?.what === 'gap');
    expect(
      lines
        .slice(gap + 1)
        // There is no database here: whenever that shows, it is on record, too.
        .filter(({ change }) => change?.what !== 'counting')
        .slice(0, 5)
        .map(({ event, decision, reason, outcome }) => [event, decision, reason ?? outcome?.status]),
    ).toEqual([
      ['decision', 'allow', undefined],
      ['outcome', null, 'ok'],
      ['list', 'allow', undefined],
      ['authentication', 'deny', 'token_malformed'],
      ['decision', 'deny', 'role_missing'],
    ]);
    await gate.close();
  });
});

it('treats a disk of the audit log that hangs as it treats a full one', async () => {
  const folder = temporaryFolder();
  const disk = await hangingDisk(folder.path);
  const file = join(disk.path, 'audit.jsonl');
  const metricsPort = String(await freePort());
  const gate = await Gate.start({
    imports: [ProbeModule],
    database: false,
    env: { AUDIT_FILE: file, METRICS_PORT: metricsPort },
  });
  const waiting = async () => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    return Number(/^gate_audit_log_pending_records (\d+)$/m.exec(text)?.[1]);
  };
  const ready = async () => (await gate.get('/health/ready')).body.checks.audit_log as boolean;
  try {
    const token = await gate.token({ scope: 'probe' });
    expect((await echo(gate, token)).status).toBe(200);
    expect([await ready(), await waiting()]).toEqual([true, 0]);

    disk.hang();
    const since = Date.now();
    const answers = await Promise.all([
      echo(gate, token),
      echo(gate, token),
      gate.modern(token, 'tools/list'),
    ]);
    for (const answer of answers) expectUnavailable(answer, 'audit_unavailable');
    expect(Date.now() - since).toBeLessThan(8_000);
    await until(async () => !(await ready()));
    expect((await gate.get('/health/live')).status).toBe(200);
    await until(async () => (await waiting()) >= 3);
    // From here on nobody waits: the disk is known to hang.
    const begin = Date.now();
    expectUnavailable(await echo(gate, token), 'audit_unavailable');
    expect((await echo(gate, 'bad')).status).toBe(401);
    expect(Date.now() - begin).toBeLessThan(3_000);
    expect(runsOf(gate)).toEqual(['echo']);
    const refused = Date.now();
    await wait(2_000);
    expect([await ready(), (await waiting()) >= 5]).toEqual([false, true]);

    const released = Date.now();
    disk.release();
    await until(async () => gate.wholeAuditLog().some(({ change }) => change?.what === 'gap'));
    await until(async () => (await waiting()) === 0);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n').map(decodeVerified) as AuditLogLine[];
    lines.forEach((line, at) =>
      expect(line).toMatchObject({ seq: at + 1, prev: lines[at - 1]?.hash ?? null }),
    );
    const at = lines.findIndex(({ change }) => change?.what === 'gap');
    const gap = (lines[at] as AuditLogLine).change as Record<string, any>;
    expect(gap).toMatchObject({ lost: {} });
    expect(Date.parse(gap.since as string)).toBeGreaterThanOrEqual(since);
    expect(Date.parse(gap.since as string)).toBeLessThan(since + 3_000);
    expect(Date.parse(gap.until as string)).toBeGreaterThanOrEqual(released);
    // Whenever it shows that there is no database here, it is on record, too.
    const late = lines
      .slice(at + 1, at + 1 + (gap.late as number))
      .filter(({ event }) => event === 'decision' || event === 'authentication');
    expect(late.map(({ decision, reason }) => `${decision} ${reason}`).sort()).toEqual([
      ...Array.from({ length: 4 }, () => 'deny audit_unavailable'),
      'deny token_malformed',
    ]);
    for (const { time } of late) {
      expect(Date.parse(time as string)).toBeGreaterThanOrEqual(since);
      expect(Date.parse(time as string)).toBeLessThanOrEqual(refused);
    }
    expect(lines.filter(({ decision }) => decision === 'allow')).toHaveLength(1);
    expect((await echo(gate, token)).status).toBe(200);
    expect(await ready()).toBe(true);
  } finally {
    disk.release();
    await gate.close();
    disk.remove();
    folder.remove();
  }
}, 90_000);

describe('RATE_LIMIT_PER_MINUTE=3', () => {
  let gate: Gate;
  beforeAll(async () => {
    gate = await Gate.start({ imports: [ProbeModule], env: { RATE_LIMIT_PER_MINUTE: '3' } });
  });
  afterAll(() => gate.close());

  it('the fourth request of a principal is refused, whatever it asks and whichever token it shows', async () => {
    const tokens = await Promise.all(
      [1, 2, 3, 4].map((id) => gate.token({ scope: 'probe', jti: `token-${id}` })),
    );
    const statuses: number[] = [];
    for (const token of tokens.slice(0, 3)) statuses.push((await echo(gate, token)).status);
    expect(statuses).toEqual([200, 200, 200]);

    const before = gate.auditLog().length;
    for (const answer of [
      await echo(gate, tokens[3] as string),
      await gate.modern(tokens[3], 'tools/list'),
      await gate.post(tokens[3], 'no JSON'),
    ]) {
      expect({
        status: answer.status,
        code: answer.body.error.code,
        reason: answer.body.error.data.reason,
      }).toEqual({
        status: 429,
        code: 429,
        reason: 'rate_limited',
      });
      const seconds = Number(answer.headers.get('retry-after'));
      expect(seconds).toBeGreaterThanOrEqual(1);
      expect(seconds).toBeLessThanOrEqual(60);
      expect(answer.headers.has('www-authenticate')).toBe(false);
    }
    const refused = gate.auditLog().filter((line) => line.reason === 'rate_limited');
    expect(refused).toHaveLength(3);
    expect(refused[0]).toMatchObject({ event: 'decision', decision: 'deny', principal: { sub: 'alice' } });
    expect(before).toBeGreaterThanOrEqual(3);
    expect(runsOf(gate)).toHaveLength(3);
  });

  it.each([
    ['another subject', { sub: 'bob' }],
    ['the same subject with another client', { client_id: 'other-agent' }],
    ['names that would run together', { sub: 'alice","agent', client_id: 'x' }],
  ])('%s is not affected', async (_name, claims) => {
    expect((await echo(gate, await gate.token({ scope: 'probe', ...claims }))).status).toBe(200);
  });

  it('a bad token in the name of a principal costs it nothing', async () => {
    const stranger = await makeKey('key-1');
    for (let at = 0; at < 10; at++) {
      const forged = await gate.token({ sub: 'victim', scope: 'probe' }, { key: stranger });
      expect((await echo(gate, forged)).status).toBe(401);
    }
    expect((await echo(gate, await gate.token({ sub: 'victim', scope: 'probe' }))).status).toBe(200);
  });
});
