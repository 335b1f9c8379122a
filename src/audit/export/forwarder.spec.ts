import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditLog } from '../audit-log.js';
import { changeRecord } from '../record.js';
import { signingKeyOf } from '../signing-key.js';
import { until } from '../../../test/support/remote.js';
import { LogReader } from './log-reader.js';
import { Forwarder } from './forwarder.js';
import { CursorFile } from './cursor.js';
import type { SinkRecord, Sink } from './sink.js';

const PEM = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const key = signingKeyOf(PEM, 'test');
const { change: _change, ...blank } = changeRecord({ what: 'key', from: '', to: '' }, '');

let folder: string;
let file: string;
let auditLog: AuditLog;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'forwarder-'));
  file = join(folder, 'audit.jsonl');
  // rotateBytes 1 rotates at every write, so each record has its own file.
  auditLog = await AuditLog.open({
    file,
    key: () => key,
    instance: 'gate-1',
    rotateBytes: 1,
    rotateDaily: false,
    now: () => new Date(),
    onCheckpoint: () => undefined,
    onError: (error) => {
      throw error;
    },
  });
});
afterEach(async () => {
  await auditLog.close();
  rmSync(folder, { recursive: true, force: true });
});

const write = async (...ids: string[]) => {
  for (const id of ids) await auditLog.append({ ...blank, id, event: 'list' }).written;
};
const idsOf = (delivered: readonly SinkRecord[]) =>
  delivered.filter(({ record }) => record.event === 'list').map(({ record }) => record.id);

class Collector implements Sink {
  readonly arrived: SinkRecord[] = [];
  down = false;
  /** Stores the records, then rejects the delivery. */
  forgets = false;

  deliver(records: readonly SinkRecord[]): Promise<void> {
    if (this.down) return Promise.reject(new Error('down'));
    this.arrived.push(...records);
    return this.forgets ? Promise.reject(new Error('lost the answer')) : Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

describe('LogReader', () => {
  async function readAll(reader: LogReader, most = 1): Promise<SinkRecord[]> {
    const all: SinkRecord[] = [];
    for (let found = await reader.read(most, auditLog.reach); found.length > 0;) {
      all.push(...found);
      found = await reader.read(most, auditLog.reach);
    }
    return all;
  }

  it.each([1, 2, 100])('reads each record of all files once and unchanged, %i at a time', async (most) => {
    await write('a', 'b', 'c', 'd');
    const reader = new LogReader(file, 1);
    const all = await readAll(reader, most);
    expect(all.map(({ record }) => record.seq)).toEqual(
      Array.from({ length: auditLog.reach }, (_, at) => at + 1),
    );
    expect(idsOf(all)).toEqual(['a', 'b', 'c', 'd']);
    const text = readdirSync(folder)
      .filter((name) => name.endsWith('.jsonl'))
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('');
    for (const { line } of all) expect(text).toContain(`${line}\n`);
    await write('e');
    expect(idsOf(await readAll(reader, most))).toEqual(['e']);
    await reader.close();
  });

  it('starts at a given record and stops at the last durable one', async () => {
    await write('a', 'b', 'c');
    const reader = new LogReader(file, 3);
    const read = await reader.read(100, 4);
    expect(read.map(({ record }) => record.seq)).toEqual([3]);
    expect((await reader.read(100, 4)).map(({ record }) => record.seq)).toEqual([4]);
    expect(await reader.read(100, 4)).toEqual([]);
    await reader.close();
  });

  it('reports a record that is in no file', async () => {
    await write('a', 'b', 'c');
    const [first] = readdirSync(folder)
      .filter((name) => /\d{12}/.test(name))
      .sort();
    unlinkSync(join(folder, first as string));
    const reader = new LogReader(file, 1);
    await expect(reader.read(100, auditLog.reach)).rejects.toThrow('Record 1 is in no file');
    expect(await reader.oldest()).toBe(4);
    await reader.skipTo(4);
    expect(idsOf(await readAll(reader))).toEqual(['b', 'c']);
    await reader.close();
  });
});

describe('Forwarder', () => {
  const log = {
    lines: [] as string[],
    write: (_event: string, line: string) => void log.lines.push(line),
  };
  const start = async (collector: Collector) => {
    const cursor = await CursorFile.in(join(folder, 'positions'), 'siem');
    const forwarder = new Forwarder({
      name: 'siem',
      sink: collector,
      cursor,
      auditLog: file,
      instance: () => 'gate-1',
      lastDurableSeq: () => auditLog.reach,
      log,
    });
    forwarder.start();
    return forwarder;
  };
  beforeEach(() => (log.lines.length = 0));

  it('delivers existing and new records and resumes after a restart', async () => {
    const [first, second] = [new Collector(), new Collector()];
    await write('a');
    let forwarder = await start(first);
    await write('b');
    await until(() => idsOf(first.arrived).length === 2);
    expect(forwarder.status()).toEqual({ name: 'siem', behind: 0, failing_since: null });
    await forwarder.stop();
    await write('c');
    expect(forwarder.status().behind).toBeGreaterThan(0);
    forwarder = await start(second);
    await until(() => idsOf(second.arrived).length === 1);
    expect(idsOf(second.arrived)).toEqual(['c']);
    await forwarder.stop();
    const seqs = [...first.arrived, ...second.arrived].map(({ record }) => record.seq);
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, at) => at + 1));
  });

  it('delivers all records after an outage of the collector and logs the outage once', async () => {
    const collector = new Collector();
    collector.down = true;
    const forwarder = await start(collector);
    await write('a', 'b', 'c');
    await until(() => log.lines.length > 0);
    expect(forwarder.status()).toMatchObject({
      behind: auditLog.reach,
      failing_since: expect.any(String) as string,
    });
    collector.down = false;
    await until(() => idsOf(collector.arrived).length === 3);
    await until(() => log.lines.length === 2);
    expect(log.lines).toEqual([
      'Sink siem: delivery failed, records wait: down',
      'Sink siem: delivery resumed',
    ]);
    expect(idsOf(collector.arrived)).toEqual(['a', 'b', 'c']);
    await forwarder.stop();
  });

  it('delivers a batch again if its arrival is uncertain', async () => {
    const collector = new Collector();
    collector.forgets = true;
    await write('a');
    const forwarder = await start(collector);
    await until(() => idsOf(collector.arrived).length === 1);
    collector.forgets = false;
    await until(() => forwarder.status().behind === 0);
    expect(idsOf(collector.arrived)).toEqual(['a', 'a']);
    await forwarder.stop();
  });

  it('continues after deleted records and logs their range', async () => {
    await write('a', 'b', 'c');
    const cursor = await CursorFile.in(join(folder, 'positions'), 'siem');
    await cursor.write({ instance: 'gate-1', seq: 1 });
    const [first] = readdirSync(folder)
      .filter((name) => /\d{12}/.test(name))
      .sort();
    unlinkSync(join(folder, first as string));
    const collector = new Collector();
    const forwarder = await start(collector);
    await until(() => idsOf(collector.arrived).length === 2);
    expect(log.lines.join()).toContain('records 2 to 3 were deleted');
    await forwarder.stop();
  });

  it('delivers a new chain from its first record, regardless of the old position', async () => {
    const cursor = await CursorFile.in(join(folder, 'positions'), 'siem');
    await cursor.write({ instance: 'the-chain-before', seq: 2 });
    await write('a', 'b');
    const collector = new Collector();
    const forwarder = await start(collector);
    await until(() => idsOf(collector.arrived).length === 2);
    expect(log.lines).toEqual([
      'Sink siem: the audit log is a new chain, delivery starts at its first record',
    ]);
    await forwarder.stop();
  });

  it.each([
    ['was cut', { seq: 99 }],
    ['was rewritten', { seq: 2, hash: 'ab' }],
  ])('delivers all records again if the audit log %s before the delivered position', async (_, place) => {
    await write('a', 'b');
    const cursor = await CursorFile.in(join(folder, 'positions'), 'siem');
    await cursor.write({ instance: 'gate-1', ...place });
    const collector = new Collector();
    const forwarder = await start(collector);
    await write('c');
    await until(() => idsOf(collector.arrived).length === 3);
    expect(log.lines.join()).toContain('the audit log was cut or rewritten');
    await forwarder.stop();
  });

  it('survives any value thrown by a sink', async () => {
    const collector = new Collector();
    const thrown: unknown[] = [new DOMException('timed out', 'TimeoutError'), undefined, 7, { cause: null }];
    collector.deliver = (records) => {
      if (thrown.length > 0) return Promise.reject(thrown.shift() as Error);
      collector.arrived.push(...records);
      return Promise.resolve();
    };
    await write('a');
    const forwarder = await start(collector);
    await until(() => idsOf(collector.arrived).length === 1, 30_000);
    expect(log.lines[0]).toBe('Sink siem: delivery failed, records wait: timed out');
    await forwarder.stop();
  }, 40_000);

  it('does not restart delivery if its position file is invalid', async () => {
    await write('a');
    const cursor = await CursorFile.in(join(folder, 'positions'), 'siem');
    await cursor.write({ instance: 'gate-1', seq: 1 });
    writeFileSync(join(folder, 'positions', 'siem.json'), 'nonsense');
    const collector = new Collector();
    const forwarder = await start(collector);
    await until(() => log.lines.length > 0);
    expect(log.lines[0]).toContain('holds no position');
    expect(collector.arrived).toEqual([]);
    await forwarder.stop();
  });
});
