/** An audit log that cannot be written: AUDIT_ON_FAILURE=deny rejects calls, allow records a gap. */
import { readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { decodeVerified } from '../src/audit/chain.js';
import { type AuditLogLine, freePort, Gate, temporaryFolder } from './support/gate.js';
import { hangingDisk } from './support/hanging-disk.js';
import { ProbeModule } from './support/probe.tools.js';
import { echo, expectUnavailable, runsOf, until, wait } from './support/outages.js';

describe('audit log that cannot be written', () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());

  const fileOf = (onFailure: string) => join(folder.path, `${onFailure}.jsonl`);
  /** Moving the file away makes the audit log unwritable until `back` restores it. */
  const away = (file: string) => renameSync(file, `${file}.away`);
  const back = (file: string) => renameSync(`${file}.away`, file);
  const startWith = (onFailure: string) =>
    Gate.start({
      imports: [ProbeModule],
      database: false,
      env: { AUDIT_FILE: fileOf(onFailure), AUDIT_ON_FAILURE: onFailure },
    });

  /** Reads all records and checks the hash chain. */
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

  it.each(['deny', 'allow'])('denies calls from startup with AUDIT_ON_FAILURE=%s', async (onFailure) => {
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
    ])('rejects %s %j with 503', async (method, params) => {
      expectUnavailable(await gate.modern(token, method, params), 'audit_unavailable');
      expectUnavailable(await gate.legacy(token, method, params), 'audit_unavailable');
      expect(runsOf(gate)).toEqual([]);
    });

    it('rejects all of twenty concurrent calls', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => echo(gate, token)));
      for (const answer of answers) expectUnavailable(answer, 'audit_unavailable');
      expect(runsOf(gate)).toEqual([]);
    });

    it('keeps the status of a call that fails authentication or authorization', async () => {
      expect((await echo(gate, 'bad')).status).toBe(401);
      expect((await echo(gate, await gate.token({ scope: '' }))).status).toBe(403);
      expect(runsOf(gate)).toEqual([]);
    });

    it('reports not ready and stays alive', async () => {
      expect((await gate.get('/health/ready')).body).toMatchObject({ checks: { audit_log: false } });
      expect((await gate.get('/health/live')).status).toBe(200);
    });

    it('accepts calls again after recovery and then records the calls rejected during the outage', async () => {
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

  it('continues to serve calls and rejections with AUDIT_ON_FAILURE=allow', async () => {
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
        // The first database failure is also recorded, because this gateway has no database.
        .filter(({ change }) => change?.what !== 'rate_limit_store')
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

it('treats a hanging disk of the audit log as a full disk', async () => {
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

    // An outcome that still waits for its flush would begin the gap earlier.
    await gate.settledAuditLog();
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
    // The gateway now knows that the disk hangs, so requests fail without a wait.
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
    // The first database failure is also recorded, because this gateway has no database.
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
