/** Rates, quotas and DPoP proofs that instances count together, also across restarts and database outages. */
import { generateKeyPair, generateProof } from 'dpop';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { SharedCounts } from '../src/rate-limiting/shared-counts.js';
import { PolicyService } from '../src/policy/policy.service.js';
import { ToolRegistry } from '../src/tools/tool-registry.js';
import { databaseBackends, type TestDatabase } from './support/database.js';
import { Gate, MODERN, temporaryFolder, type Answer, type AuditLogLine } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';
import { ProbeModule, Runs } from './support/probe.tools.js';
import { Relay } from './support/relay.js';
import { until } from './support/remote.js';

const postgres = databaseBackends().find(({ name }) => name === 'postgres');
const LEGACY = '2025-11-25';
const POLICY = {
  'policy.yaml': `
rates:
  few: {per_minute: 40}
  day: {per_day: 3, by: person}
  team: {per_hour: 4, by: client, each_tool: true}
  all: {per_hour: 5, by: everyone}
rules:
  - {id: few, match: "echo*", rate: few}
  - {id: quota, match: picture, rate: [day]}
  - {id: team, match: ["resource:handbook", "prompt:greet"], rate: team}
  - {id: all, match: "resource:page", rate: all}
`,
};

let issuer: TestIssuer;
let database: TestDatabase;
let relay: Relay;
const folders = [temporaryFolder(), temporaryFolder()];

beforeAll(async () => {
  issuer = await TestIssuer.start();
  database = (await postgres?.open()) as TestDatabase;
  relay = await Relay.start();
});
afterAll(async () => {
  await issuer.stop();
  await relay.stop();
  await database.cleanup();
  folders.forEach((folder) => folder.remove());
});

const mint = (claims: object) => issuer.mint('urn:gate', { scope: 'probe', ...claims });
const start = (env: Record<string, string | undefined>) =>
  Gate.start({
    issuer,
    imports: [ProbeModule],
    policy: POLICY,
    env: { AUTH_AUDIENCE: 'urn:gate', RATE_LIMIT_PER_MINUTE: '0', ...env },
  });
const echo = (gate: Gate, token: string) => gate.callTool(token, 'echo', { text: 'x' });
const picture = (gate: Gate, token: string) => gate.callTool(token, 'picture', {});
const read = (gate: Gate, token: string, uri: string) =>
  gate.modern(token, 'resources/read', { uri }, { 'mcp-name': uri });
const runsOf = (gate: Gate) => gate.app.nest.get(Runs).names.length;
const storeState = async (gate: Gate) =>
  (await gate.get('/health/ready')).body.rate_limit_store?.state as string;

function toolCall(name: string, more: object): object {
  return { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, ...more } };
}

/** Number of statements that wait for the lock of the counter table. */
async function waiting(client: pg.Client): Promise<number> {
  const { rows } = await client.query(
    `select 1 from pg_locks where not granted and relation = 'rate_counters'::regclass`,
  );
  return rows.length;
}

/** Number of accepted calls, with the gateways in turn. */
async function passed(
  gates: readonly Gate[],
  times: number,
  call: (gate: Gate) => Promise<Answer>,
): Promise<number> {
  let through = 0;
  for (let at = 0; at < times; at++) {
    if ((await call(gates[at % gates.length] as Gate)).status === 200) through += 1;
  }
  return through;
}

(postgres ? describe : describe.skip)('rate limiting of two instances', () => {
  let gates: [Gate, Gate];
  const open = (at: number, more: Record<string, string> = {}) =>
    start({
      DATABASE_URL: relay.urlOf(database.settings.databaseUrl as string),
      DATA_DIR: folders[at]?.path,
      ...more,
    });
  beforeAll(async () => {
    gates = [await open(0), await open(1)];
  });
  afterAll(() => Promise.all(gates.map((gate) => gate.close())));

  it('accepts exactly the limit of concurrent calls on both instances and sends Retry-After for the others', async () => {
    const alice = await mint({ sub: 'alice' });
    const before = gates.map(runsOf);
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) => echo(gates[at % 2] as Gate, alice)),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect([answers.length - refused.length, refused.length]).toEqual([40, 60]);
    expect(gates.map(runsOf).reduce((sum, runs, at) => sum + runs - (before[at] as number), 0)).toBe(40);
    for (const { headers, body } of refused) {
      expect(body.error.data.reason).toBe('rate_limited');
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60);
    }
    const line = gates[0].auditLog().find(({ reason }) => reason === 'rate_limited');
    expect(line).toMatchObject({ decision: 'deny', rule: 'policy.yaml: few', tool: 'echo' });
  });

  it('gives concurrent calls on both instances distinct and complete counter values', async () => {
    const counts = gates.map(({ app }) => app.nest.get(SharedCounts));
    const told = new Map<string, number[]>();
    for (let round = 0; round < 20; round++) {
      const keys = Array.from({ length: 400 }, (_, at) => `together/60:${at % 300}`);
      await Promise.all(
        counts.flatMap((each, at) =>
          (at === 0 ? keys : [...keys].reverse()).map(async (key) => {
            const counted = await each.add({ key, calls: 1, seconds: 60 });
            expect(counted?.msBeforeNext).toBeGreaterThan(0);
            told.set(key, [...(told.get(key) ?? []), counted?.calls as number]);
          }),
        ),
      );
    }
    const numbers = [...told.values()];
    expect(numbers.flat()).toHaveLength(20 * 400 * 2);
    for (const each of numbers) {
      expect(each.sort((a, b) => a - b)).toEqual(Array.from({ length: each.length }, (_, at) => at + 1));
    }
  });

  it('starts a new count after the window ends, also for additions above one', async () => {
    const [first, second] = gates.map(({ app }) => app.nest.get(SharedCounts)) as [
      SharedCounts,
      SharedCounts,
    ];
    const add = async (each: SharedCounts, calls: number) =>
      (await each.add({ key: 'again/1:x', calls, seconds: 1 }))?.calls;
    expect(await Promise.all([add(first, 2), add(first, 3), add(first, 1)])).toEqual([2, 5, 6]);
    expect(await add(second, 4)).toBe(10);
    await pause(1_050);
    expect(await add(second, 3)).toBe(3);
    expect(await add(first, 1)).toBe(4);
  });

  it('combines waiting counts into one statement and sends no statement for an exhausted limit', async () => {
    const client = new pg.Client({ connectionString: database.settings.databaseUrl });
    await client.connect();
    const tokens = await Promise.all(Array.from({ length: 30 }, (_, at) => mint({ sub: `waits-${at}` })));
    const over = await mint({ sub: 'over' });
    expect(await passed(gates, 42, (gate) => echo(gate, over))).toBe(40);
    expect((await echo(gates[1], over)).status).toBe(429);
    let asked: Promise<Answer>[] = [];
    try {
      await client.query('begin');
      await client.query('lock table rate_counters in access exclusive mode');
      asked = tokens.map((token) => echo(gates[0], token));
      await until(async () => (await waiting(client)) > 0, 1_000);
      expect((await echo(gates[0], over)).status).toBe(429);
      expect(await waiting(client)).toBe(1);
    } finally {
      await client.end();
    }
    expect(new Set((await Promise.all(asked)).map(({ status }) => status))).toEqual(new Set([200]));
    expect(await Promise.all(gates.map(storeState))).toEqual(['shared', 'shared']);
  });

  it.each([
    ['the fast path', {}],
    ['the Nest pipeline', { _meta: { progressToken: 1 } }],
  ])(
    'rejects a call with 404 when its target was replaced between decision and response (%s)',
    async (way, more) => {
      const [{ app }] = gates;
      const [registry, policy] = [app.nest.get(ToolRegistry), app.nest.get(PolicyService)];
      let runs = 0;
      const mount = () => {
        const rule = { scopes: [], roles: [], assurance: null, allowWorkload: false, source: 'test' };
        const definition = {
          kind: 'tool',
          name: 'echo_mounted',
          rule,
          recordedArguments: [],
          inputSchema: { type: 'object', properties: {} },
          conditions: [],
          readOnly: false,
          relay: async () => ({ content: [{ type: 'text', text: String((runs += 1)) }] }),
          entry: { name: 'echo_mounted', inputSchema: { type: 'object' } },
        };
        registry.mount([definition as never]);
        policy.adopt(policy.candidate());
      };
      mount();
      const token = await mint({ sub: `mounted-${way}` });
      const call = () =>
        gates[0].post(token, toolCall('echo_mounted', more), { 'mcp-protocol-version': LEGACY });
      expect((await call()).status).toBe(200);
      const client = new pg.Client({ connectionString: database.settings.databaseUrl });
      await client.connect();
      let asked: Promise<Answer>;
      try {
        await client.query('begin');
        await client.query('lock table rate_counters in access exclusive mode');
        asked = call();
        // The call is decided and not yet counted.
        await until(async () => (await waiting(client)) > 0, 1_000);
        mount();
      } finally {
        await client.end();
      }
      const { status, body } = await asked;
      expect([status, body.error]).toMatchObject([404, { code: -32602, data: { reason: 'tool_unknown' } }]);
      expect(runs).toBe(1);
      const isTheirs = ({ on_behalf_of }: AuditLogLine) => on_behalf_of === `mounted-${way}`;
      await gates[0].waitForAuditLog((line) => line.outcome?.status === 'failed' && isTheirs(line));
      const failed = gates[0].auditLog().filter(isTheirs).slice(-2);
      expect(failed).toMatchObject([
        { event: 'decision', decision: 'allow', tool: 'echo_mounted' },
        { event: 'outcome', outcome: { status: 'failed' }, reason: 'tool_not_allowed' },
      ]);
      registry.mount([]);
      policy.adopt(policy.candidate());
    },
  );

  it('counts a quota per user across clients and keeps it across a restart', async () => {
    const [one, other, bob] = await Promise.all([
      mint({ sub: 'carol', client_id: 'a' }),
      mint({ sub: 'carol', client_id: 'b' }),
      mint({ sub: 'bob' }),
    ]);
    expect(await passed(gates, 1, (gate) => picture(gate, one))).toBe(1);
    expect(await passed(gates, 4, (gate) => picture(gate, other))).toBe(2);
    await gates[1].close();
    gates[1] = await open(1);
    const refused = await picture(gates[1], one);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(86_000);
    expect((await picture(gates[1], bob)).status).toBe(200);
  });

  it('counts a rate class per client or in total, and per target if configured', async () => {
    const [x, y] = await Promise.all([
      mint({ sub: 'x', client_id: 'team' }),
      mint({ sub: 'y', client_id: 'team' }),
    ]);
    let turn = 0;
    const either = () => (turn++ % 2 === 0 ? x : y);
    expect(await passed(gates, 6, (gate) => read(gate, either(), 'docs://handbook'))).toBe(4);
    const greet = (gate: Gate) =>
      gate.modern(either(), 'prompts/get', { name: 'greet', arguments: { name: 'a' } });
    expect(await passed(gates, 6, greet)).toBe(4);
    const anyone = async (gate: Gate) =>
      read(gate, await mint({ sub: `p${turn++}`, client_id: `c${turn}` }), 'docs://a/b');
    expect(await passed(gates, 7, anyone)).toBe(5);
  });

  it('rejects a DPoP proof that another instance has already accepted', async () => {
    const keys = await generateKeyPair('ES256');
    const token = await mint({
      sub: 'dora',
      cnf: { jkt: await calculateJwkThumbprint(await exportJWK(keys.publicKey)) },
    });
    // The instances share one public URL, as behind a proxy.
    const behind = await open(1, {
      PUBLIC_URL: gates[0].origin,
      ALLOWED_HOSTS: '127.0.0.1',
      DATA_DIR: temporaryFolder().path,
    });
    const urls = [gates[0], behind].map(({ app }) => `http://127.0.0.1:${app.settings.server.port}/mcp`);
    const send = (url: string | undefined, proof: string) =>
      fetch(url as string, {
        method: 'POST',
        headers: {
          authorization: `DPoP ${token}`,
          dpop: proof,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': MODERN,
          'mcp-method': 'tools/list',
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/list',
          params: {
            _meta: {
              'io.modelcontextprotocol/protocolVersion': MODERN,
              'io.modelcontextprotocol/clientCapabilities': {},
            },
          },
        }),
      }).then(({ status }) => status);
    try {
      for (const [first, second] of [urls, [...urls].reverse()]) {
        const proof = await generateProof(keys, gates[0].url, 'POST', undefined, token);
        expect([await send(first, proof), await send(second, proof)]).toEqual([200, 401]);
        expect(await send(second, await generateProof(keys, gates[0].url, 'POST', undefined, token))).toBe(
          200,
        );
      }
      // The same proof in one hundred concurrent requests.
      const proof = await generateProof(keys, gates[0].url, 'POST', undefined, token);
      const statuses = await Promise.all(Array.from({ length: 100 }, (_, at) => send(urls[at % 2], proof)));
      expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    } finally {
      await behind.close();
    }
  });

  it('accepts no more calls in total than the remaining limit when the database fails', async () => {
    const [ivy, jane, kate] = (await Promise.all(['ivy', 'jane', 'kate'].map((sub) => mint({ sub })))) as [
      string,
      string,
      string,
    ];
    const ran = () => gates.map(runsOf).reduce((sum, runs) => sum + runs, 0);
    expect(await passed([gates[0]], 16, (gate) => echo(gate, ivy))).toBe(16);
    expect(await passed([gates[1]], 40, (gate) => echo(gate, jane))).toBe(40);
    const before = ran();
    // Each instance reads the counters of the other four times a second.
    await pause(1_500);
    relay.refuse();
    relay.drop();
    const shares = [];
    for (const gate of gates) shares.push(await passed([gate], 30, (one) => echo(one, ivy)));
    expect(shares).toEqual([12, 12]);
    expect(await passed(gates, 6, (gate) => echo(gate, jane))).toBe(0);
    // For an unused limit, the shares of all instances add up to the limit.
    expect(await passed(gates, 60, (gate) => echo(gate, kate))).toBe(40);
    expect(ran() - before).toBe(24 + 40);
    const { body, headers } = await echo(gates[1], ivy);
    expect([body.error.data.reason, Number(headers.get('retry-after')) > 0]).toEqual(['rate_limited', true]);
    relay.accept();
    await until(async () => {
      await Promise.all(gates.map((gate) => gate.modern(ivy, 'tools/list')));
      return (await Promise.all(gates.map(storeState))).every((one) => one === 'shared');
    });
  });

  it('continues with known counts during a database outage, reports it and recovers', async () => {
    const [erin, frank, hugo] = (await Promise.all(
      ['erin', 'frank', 'hugo'].map((sub) => mint({ sub })),
    )) as [string, string, string];
    expect(await passed(gates, 2, (gate) => picture(gate, erin))).toBe(2);
    // Each instance reads the counters of the other four times a second.
    await pause(1_500);
    relay.refuse();
    relay.drop();
    // One of three calls is left: only one of the two instances accepts it.
    expect(await passed(gates, 10, (gate) => picture(gate, erin))).toBe(1);
    expect(await passed(gates, 4, (gate) => echo(gate, frank))).toBe(4);
    // Without shared counts each instance has its share of the whole limit.
    const alone = await passed([gates[0]], 3, (gate) => picture(gate, hugo));
    expect([1, 2]).toContain(alone);
    expect(await Promise.all(gates.map(storeState))).toEqual(['degraded', 'degraded']);
    relay.accept();
    await until(async () => {
      await Promise.all(gates.map((gate) => echo(gate, frank)));
      return (await Promise.all(gates.map(storeState))).every((one) => one === 'shared');
    });
    // After the recovery, the other instance knows the count before the next call arrives.
    await pause(1_500);
    expect(await passed([gates[1]], 4, (gate) => picture(gate, hugo))).toBe(3 - alone);
    for (const gate of gates) {
      const changes = gate
        .wholeAuditLog()
        .flatMap(({ change }) => (change?.what === 'rate_limit_store' ? [change] : []));
      expect(changes.slice(-2)).toMatchObject([
        { state: 'degraded', cause: expect.not.stringContaining('s3cret') as string },
        { state: 'shared', cause: null },
      ]);
    }
  });

  it('counts every request of both instances with RATE_LIMIT_PER_MINUTE', async () => {
    const limited = await Promise.all(
      [0, 1].map(() => open(1, { RATE_LIMIT_PER_MINUTE: '10', DATA_DIR: temporaryFolder().path })),
    );
    const gina = await mint({ sub: 'gina' });
    expect(await passed(limited, 15, (gate) => gate.modern(gina, 'tools/list'))).toBe(10);
    await Promise.all(limited.map((gate) => gate.close()));
  });
});

it('keeps the quotas of a single instance across a restart', async () => {
  const folder = temporaryFolder();
  const alice = await mint({ sub: 'alice' });
  const first = await start({ DATA_DIR: folder.path });
  expect(await passed([first], 2, (gate) => picture(gate, alice))).toBe(2);
  expect((await first.get('/health/ready')).body.rate_limit_store).toBeUndefined();
  await first.close();
  const second = await start({ DATA_DIR: folder.path });
  expect(await passed([second], 3, (gate) => picture(gate, alice))).toBe(1);
  await second.close();
  folder.remove();
});
