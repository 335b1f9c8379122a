/** A revocation at one instance rejects the affected tokens at all instances within a second. */
import { generateKeyPair, generateProof } from 'dpop';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { sql } from 'kysely';
import pg from 'pg';
import { withTimeout } from '../src/lib/with-timeout.js';
import { databaseBackends, type TestDatabase } from './support/database.js';
import { Gate, temporaryFolder, type Answer, type AuditLogLine } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';
import { ProbeModule, Runs } from './support/probe.tools.js';
import { Relay } from './support/relay.js';
import { Database } from '../src/storage/database.js';
import { until } from './support/remote.js';

const postgres = databaseBackends().find(({ name }) => name === 'postgres');
const ADMIN = { sub: 'root', scope: 'gate.admin', roles: ['gate-admin'] };

interface Shown {
  readonly id: string;
}

async function admin(
  gate: Gate,
  token: string | undefined,
  method: string,
  path = '',
  body?: object,
): Promise<Answer> {
  return gate.get(`/admin/revocations${path}`, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
}

(postgres ? describe : describe.skip)('revocation with two instances on one database', () => {
  let issuer: TestIssuer;
  let database: TestDatabase;
  let gates: readonly [Gate, Gate];
  let root: string;
  const folders = [temporaryFolder(), temporaryFolder()];

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    database = (await postgres?.open()) as TestDatabase;
    const start = (at: number) =>
      Gate.start({
        issuer,
        imports: [ProbeModule],
        env: {
          DATABASE_URL: database.settings.databaseUrl,
          AUTH_AUDIENCE: 'urn:gate',
          RATE_LIMIT_PER_MINUTE: '0',
          DATA_DIR: folders[at]?.path,
        },
      });
    gates = [await start(0), await start(1)];
    root = await mint(ADMIN);
  });
  afterAll(async () => {
    await Promise.all(gates.map((gate) => gate.close()));
    await issuer.stop();
    await database.cleanup();
    folders.forEach((folder) => folder.remove());
  });

  const mint = (claims: object) => issuer.mint('urn:gate', { scope: 'probe', ...claims });
  const call = (gate: Gate, token: string) => gate.callTool(token, 'echo', { text: 'x' });
  const revoke = async (body: object): Promise<string> => {
    const answer = await admin(gates[0], root, 'POST', '', { issuer: issuer.url, ...body });
    expect([answer.status, answer.body?.error?.message]).toEqual([201, undefined]);
    return (answer.body as Shown).id;
  };

  it.each([
    ['a subject', 'subject', 'alice', { sub: 'alice' }, { sub: 'bob' }],
    ['a client', 'client', 'bot', { client_id: 'bot' }, { client_id: 'other' }],
    ['a session', 'session', 's1', { sid: 's1' }, { sid: 's2' }],
    ['an actor', 'subject', 'kim', { act: { sub: 'kim' } }, { act: { sub: 'lee' } }],
    [
      'the current actor but not a previous one',
      'client',
      'robot',
      { act: { sub: 'robot', act: { sub: 'first' } } },
      { act: { sub: 'last', act: { sub: 'robot' } } },
    ],
    ['a token', 'token', 't1', { jti: 't1' }, { jti: 't2' }],
  ])('rejects only the tokens of %s within a second', async (_name, kind, value, hit, other) => {
    const [revoked, good] = [await mint(hit), await mint(other)];
    for (const gate of gates) expect((await call(gate, revoked)).status).toBe(200);
    const id = await revoke({ kind, value, reason: 'left' });
    const started = performance.now();
    const first = await call(gates[0], revoked);
    expect([first.status, first.body.error.data.reason]).toEqual([401, 'token_revoked']);
    expect(first.headers.get('www-authenticate')).toContain('error="invalid_token"');
    await until(async () => (await call(gates[1], revoked)).status === 401, 2_000);
    expect(performance.now() - started).toBeLessThan(1_000);
    for (const gate of gates) {
      expect((await call(gate, good)).status).toBe(200);
      expect((await call(gate, revoked)).status).toBe(401);
      const line = gate.auditLog().findLast(({ reason }) => reason === 'token_revoked');
      expect(line).toMatchObject({ decision: 'deny', event: 'decision', tool: null });
    }
    expect((await admin(gates[0], root, 'DELETE', `/${id}`)).status).toBe(204);
    await until(async () => (await call(gates[1], revoked)).status === 200, 2_000);
  });

  it('accepts a token issued after the revocation', async () => {
    const now = Math.floor(Date.now() / 1000);
    const id = await revoke({ kind: 'subject', value: 'dora', issued_before: now - 10 });
    const [before, after] = [
      await mint({ sub: 'dora', iat: now - 10 }),
      await mint({ sub: 'dora', iat: now - 9 }),
    ];
    expect([(await call(gates[0], before)).status, (await call(gates[0], after)).status]).toEqual([401, 200]);
    await admin(gates[0], root, 'DELETE', `/${id}`);
  });

  it('rejects a token of an issuer whose clock is ahead', async () => {
    const now = Math.floor(Date.now() / 1000);
    const tokens = [await mint({ sub: 'ivy', iat: now + 4 }), await mint({ sub: 'ivy', iat: now + 0.9 })];
    for (const token of tokens) expect((await call(gates[0], token)).status).toBe(200);
    const id = await revoke({ kind: 'subject', value: 'ivy' });
    for (const token of tokens) expect((await call(gates[0], token)).status).toBe(401);
    await admin(gates[0], root, 'DELETE', `/${id}`);
  });

  it('rejects a token issued within the second of the revocation time', async () => {
    const now = Math.floor(Date.now() / 1000) - 10;
    const id = await revoke({ kind: 'subject', value: 'jon', issued_before: now });
    const [within, after] = [
      await mint({ sub: 'jon', iat: now + 0.9 }),
      await mint({ sub: 'jon', iat: now + 1 }),
    ];
    expect([(await call(gates[0], within)).status, (await call(gates[0], after)).status]).toEqual([401, 200]);
    await admin(gates[0], root, 'DELETE', `/${id}`);
  });

  it('requires a DPoP proof for each request of an administrator with a bound token', async () => {
    const keys = await generateKeyPair('ES256');
    const jkt = await calculateJwkThumbprint(await exportJWK(keys.publicKey));
    const token = await mint({ ...ADMIN, cnf: { jkt } });
    const url = `${gates[0].origin}/admin/revocations`;
    const ask = async (method: string, path: string, htm: string, htu: string) => {
      const proof = await generateProof(keys, htu, htm, undefined, token);
      const headers = { authorization: `DPoP ${token}`, dpop: proof };
      return (await gates[0].get(`/admin/revocations${path}`, { method, headers })).status;
    };
    expect(await ask('GET', '', 'GET', url)).toBe(200);
    expect(await ask('DELETE', '/x', 'DELETE', `${url}/x`)).toBe(404);
    // Proofs for a call, for another method and for another URL.
    expect(await ask('GET', '', 'POST', gates[0].url)).toBe(401);
    expect(await ask('DELETE', '/x', 'GET', `${url}/x`)).toBe(401);
    expect(await ask('DELETE', '/x', 'DELETE', `${url}/y`)).toBe(401);
  });

  it('aborts running calls, withholds their results and closes streams', async () => {
    const token = await mint({ sub: 'erin' });
    const { aborted, names } = gates[1].app.nest.get(Runs);
    const running = gates[1].callTool(token, 'wait');
    const listening = gates[1].modern(token, 'subscriptions/listen', {
      notifications: { toolsListChanged: true },
    });
    await until(() => names.includes('wait'));
    const id = await revoke({ kind: 'subject', value: 'erin' });
    const [ended] = await Promise.all([running, listening]);
    expect(ended.body.error).toMatchObject({ code: 401, data: { reason: 'token_revoked' } });
    expect(aborted).toContain('wait');
    await gates[1].waitForAuditLog((line) => line.outcome?.status === 'cancelled');
    await admin(gates[0], root, 'DELETE', `/${id}`);
  });

  it('opens no stream and runs no tool for a request that passed authentication before the revocation', async () => {
    const folder = temporaryFolder();
    const slow = await Gate.start({
      issuer,
      imports: [ProbeModule],
      env: {
        DATABASE_URL: database.settings.databaseUrl,
        AUTH_AUDIENCE: 'urn:gate',
        DATA_DIR: folder.path,
      },
    });
    const client = new pg.Client({ connectionString: database.settings.databaseUrl });
    await client.connect();
    const runs = slow.app.nest.get(Runs).names;
    /** The response to a request that passed authentication before the revocation. */
    const lockedOut = async (sub: string, ask: (token: string) => Promise<Answer>): Promise<Answer> => {
      const token = await mint({ sub });
      expect((await call(slow, token)).status).toBe(200);
      const before = runs.length;
      // The next step counts the request; the locked table makes it wait there.
      await client.query('begin');
      await client.query('lock table rate_counters in access exclusive mode');
      const asked = ask(token);
      await waiting(client, 1);
      const id = await revoke({ kind: 'subject', value: sub });
      await until(
        async () => ((await slow.get('/health/ready')).body.revocations as { count: number }).count === 1,
      );
      await client.query('rollback');
      const answer = (await withTimeout(asked, 5_000)) as Answer;
      expect([answer.status, answer.body.error.data.reason]).toEqual([401, 'token_revoked']);
      expect(runs.length).toBe(before);
      await admin(gates[0], root, 'DELETE', `/${id}`);
      await until(
        async () => ((await slow.get('/health/ready')).body.revocations as { count: number }).count === 0,
      );
      return answer;
    };
    const called = await lockedOut('fay', (token) => slow.callTool(token, 'wait'));
    // The call was allowed and recorded before; its outcome record states why it never ran.
    const decisionId = called.body.error.data.decision_id as string;
    const lines = await slow.waitForAuditLog((line) => line.decision_id === decisionId);
    expect(lines.find((line) => line.decision_id === decisionId)).toMatchObject({
      event: 'outcome',
      outcome: { status: 'failed' },
      reason: 'token_revoked',
    });
    await lockedOut('flo', (token) =>
      slow.modern(token, 'subscriptions/listen', { notifications: { toolsListChanged: true } }),
    );
    await client.end();
    await slow.close();
    folder.remove();
  });

  it('takes effect while tools keep all database connections busy', async () => {
    const token = await mint({ sub: 'gus' });
    expect((await call(gates[1], token)).status).toBe(200);
    const db = await gates[1].app.nest.get(Database).get();
    const busy = Promise.all(Array.from({ length: 12 }, () => sql`select pg_sleep(2)`.execute(db)));
    const id = await revoke({ kind: 'subject', value: 'gus' });
    await until(async () => (await call(gates[1], token)).status === 401, 1_000);
    expect((await admin(gates[1], root, 'DELETE', `/${id}`)).status).toBe(204);
    await busy;
  });

  it('reconnects within seconds after the database moved without a notice', async () => {
    const folder = temporaryFolder();
    const relay = await Relay.start();
    const far = await Gate.start({
      issuer,
      imports: [ProbeModule],
      env: {
        DATABASE_URL: relay.urlOf(database.settings.databaseUrl as string),
        AUTH_AUDIENCE: 'urn:gate',
        DATA_DIR: folder.path,
      },
    });
    const token = await mint({ sub: 'hal' });
    expect((await call(far, token)).status).toBe(200);
    relay.silence();
    const id = await revoke({ kind: 'subject', value: 'hal' });
    await until(async () => (await call(far, token)).status === 401, 8_000);
    // The notification arrives earlier than the next periodic read of the list.
    await admin(gates[0], root, 'DELETE', `/${id}`);
    await until(async () => (await call(far, token)).status === 200, 1_000);
    await far.close();
    await relay.stop();
    folder.remove();
  });

  it('responds with Retry-After to a revocation during a database outage', async () => {
    const folder = temporaryFolder();
    const relay = await Relay.start();
    const far = await Gate.start({
      issuer,
      env: {
        DATABASE_URL: relay.urlOf(database.settings.databaseUrl as string),
        AUTH_AUDIENCE: 'urn:gate',
        DATA_DIR: folder.path,
      },
    });
    expect((await admin(far, root, 'GET')).status).toBe(200);
    relay.refuse();
    relay.drop();
    const body = { kind: 'subject', issuer: issuer.url, value: 'alice' };
    for (const answer of [await admin(far, root, 'POST', '', body), await admin(far, root, 'DELETE', '/x')]) {
      expect([answer.status, answer.body.error.data.reason]).toEqual([503, 'identity_unavailable']);
      expect(answer.headers.get('retry-after')).toBe('5');
      await far.waitForAuditLog(({ decision_id }) => decision_id === answer.body.error.data.decision_id);
    }
    await far.close();
    await relay.stop();
    folder.remove();
  });

  it('requires the administrator scope and role and records each attempt', async () => {
    const body = { kind: 'subject', issuer: issuer.url, value: 'alice' };
    const attempts: [string | undefined, number, string][] = [
      [undefined, 401, 'token_missing'],
      [await mint({}), 403, 'role_missing'],
      [await mint({ scope: 'gate.admin' }), 403, 'role_missing'],
      [await mint({ scope: 'probe', roles: ['gate-admin'] }), 403, 'scope_missing'],
    ];
    for (const [token, status, reason] of attempts) {
      for (const [method, path] of [
        ['POST', ''],
        ['GET', ''],
        ['DELETE', '/x'],
      ] as const) {
        const before = gates[0].auditLog().length;
        const answer = await admin(gates[0], token, method, path, method === 'POST' ? body : undefined);
        expect([answer.status, answer.body.error.data.reason]).toEqual([status, reason]);
        const lines = gates[0].auditLog().slice(before);
        expect(lines).toEqual([expect.objectContaining({ id: answer.body.error.data.decision_id, reason })]);
      }
    }
    expect((await call(gates[0], await mint({ sub: 'alice' }))).status).toBe(200);
  });

  it('records a revocation at every instance with its author and reason', async () => {
    const id = await revoke({ kind: 'session', value: 's9', reason: 'laptop lost' });
    const decision = gates[0].auditLog().findLast(({ tool }) => tool === 'admin:revoke') as AuditLogLine;
    const decisionId = (decision.decision_id ?? decision.id) as string;
    const lines = await gates[0].waitForAuditLog((line) => line.decision_id === decisionId);
    expect(lines.find((line) => line.decision_id === decisionId)).toMatchObject({
      outcome: { status: 'ok' },
      on_behalf_of: 'root',
      tool: 'admin:revoke',
    });
    const listed = await admin(gates[1], root, 'GET');
    await until(async () =>
      ((await admin(gates[1], root, 'GET')).body.revocations as Shown[]).some((one) => one.id === id),
    );
    expect(listed.status).toBe(200);
    await admin(gates[0], root, 'DELETE', `/${id}`);
    for (const gate of gates) {
      const changes = () => readChanges(gate).filter(({ revocation }) => revocation.id === id);
      await until(() => changes().length === 2);
      expect(changes()).toEqual([
        expect.objectContaining({ what: 'revocation', action: 'revoked', by: 'root', reason: 'laptop lost' }),
        expect.objectContaining({ action: 'withdrawn' }),
      ]);
    }
  });

  it.each<[object, string]>([
    [{ kind: 'person', value: 'x' }, 'kind must be one of token, session, subject, client, issuer'],
    [{ kind: 'subject' }, 'value must be the subject'],
    [{ kind: 'issuer', value: 'x' }, 'value must be absent for kind issuer'],
    [
      { kind: 'subject', value: 'x', issued_before: 'yesterday' },
      'issued_before must be a time with a zone (RFC 3339), or seconds since the epoch',
    ],
    [
      { kind: 'subject', value: 'x', until: 1 },
      'unknown member; known members are kind, issuer, value, issued_before, reason',
    ],
    [{ kind: 'subject', value: 'a\u0000b' }, 'value must be the subject'],
    [
      { kind: 'subject', value: 'x', issuer: 'https://other.example' },
      'issuer must be the exact iss of a configured issuer',
    ],
  ])('rejects the revocation %j', async (body, message) => {
    const answer = await admin(gates[0], root, 'POST', '', { issuer: issuer.url, ...body });
    expect([answer.status, answer.body.error.message]).toEqual([400, message]);
  });

  it('returns 404 for an unknown id and for an unknown method', async () => {
    expect((await admin(gates[0], root, 'DELETE', '/00000000-0000-4000-8000-000000000000')).status).toBe(404);
    expect((await admin(gates[0], root, 'PUT')).status).toBe(404);
  });
});

/** Resolves when `count` statements wait for the lock of the counter table. */
async function waiting(client: pg.Client, count: number): Promise<void> {
  await until(async () => {
    const { rows } = await client.query(
      `select 1 from pg_locks where not granted and relation = 'rate_counters'::regclass`,
    );
    return rows.length >= count;
  }, 1_000);
}

function readChanges(gate: Gate): { revocation: { id: string } }[] {
  return gate.wholeAuditLog().flatMap(({ change }) => (change?.what === 'revocation' ? [change] : []));
}

describe('revocation without a shared database', () => {
  it('serves no administration API when revocation is disabled', async () => {
    const gate = await Gate.start({ database: false });
    expect((await admin(gate, await gate.token(ADMIN), 'GET')).status).toBe(404);
    await gate.close();
  });

  it('rejects calls with 503 while the revocation list is unavailable', async () => {
    const gate = await Gate.start({
      database: false,
      imports: [ProbeModule],
      env: { REVOCATION_MAX_AGE_SECONDS: '300' },
    });
    const answer = await gate.callTool(await gate.token({ scope: 'probe' }), 'echo', { text: 'x' });
    expect([answer.status, answer.body.error.data.reason]).toEqual([503, 'identity_unavailable']);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect((await gate.get('/health/ready')).body.revocations).toEqual({ count: 0, as_of: null });
    await gate.close();
  });
});
