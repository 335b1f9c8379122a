import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { compileForChild } from '../../test/support/child-script.js';
import { decodeVerified } from './chain.js';
import { AuditLog, type AuditLogOptions } from './audit-log.js';
import { changeRecord, type AuditRecord } from './record.js';
import { signingKeyOf } from './signing-key.js';

const PEM = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const key = signingKeyOf(PEM, 'test');

let folder: string;
let file: string;
let now: Date;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-log-'));
  file = join(folder, 'deep', 'audit.jsonl');
  now = new Date('2026-11-22T10:00:00.000Z');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const blank = changeRecord({ what: 'key', from: '', to: '' }, '');
function record(id: string, more: Partial<AuditRecord> = {}): AuditRecord {
  const { change: _change, ...rest } = blank;
  return { ...rest, id, event: 'list', decision: 'allow', ...more };
}
const call = (id: string) => record(id, { event: 'decision' });
const end = (id: string) =>
  record(`end-${id}`, {
    event: 'outcome',
    decision: null,
    decision_id: id,
    outcome: { status: 'ok', duration_ms: 1 },
  });

type Line = Record<string, any>;
const linesOf = (path: string): Line[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => decodeVerified(line) ?? { broken: line });
const lines = () => linesOf(file);
/** Ids of all records except checkpoints. */
const ids = () => lines().flatMap(({ event, id }) => (event === 'checkpoint' ? [] : [id as string]));

function open(more: Partial<AuditLogOptions> = {}): Promise<AuditLog> {
  return AuditLog.open({
    file,
    key: () => key,
    instance: 'gate-1',
    rotateBytes: 0,
    rotateDaily: true,
    now: () => now,
    onCheckpoint: () => undefined,
    onError: (error) => {
      throw error;
    },
    ...more,
  });
}

async function withAuditLog<T>(
  use: (auditLog: AuditLog) => Promise<T>,
  more?: Partial<AuditLogOptions>,
): Promise<T> {
  const auditLog = await open(more);
  try {
    return await use(auditLog);
  } finally {
    await auditLog.close();
  }
}

const add = (auditLog: AuditLog, ...records: AuditRecord[]) =>
  Promise.all(records.map((one) => auditLog.append(one).written));

/** Leaves the file as `kill -9` would, without the closing checkpoint. */
async function crash(auditLog: AuditLog): Promise<void> {
  const content = readFileSync(file);
  await auditLog.close();
  writeFileSync(file, content);
}

function requireChain(all: readonly Line[]): void {
  all.forEach((line, at) => {
    expect(line).toMatchObject({ v: 1, seq: (all[0] as Line).seq + at, instance: 'gate-1' });
    if (at > 0) expect(line.prev).toBe(all[at - 1]?.hash);
  });
}

it('keeps the order of concurrent records and chains them without a gap', async () => {
  const all = Array.from({ length: 2500 }, (_, at) => String(at));
  await withAuditLog((auditLog) => add(auditLog, ...all.map((id) => record(id))));
  expect(ids()).toEqual(all);
  expect(lines()[0]).toMatchObject({ seq: 1, prev: null });
  requireChain(lines());
});

it('signs the start, the end and every thousand records', async () => {
  const all = Array.from({ length: 2500 }, (_, at) => record(String(at)));
  await withAuditLog((auditLog) => add(auditLog, ...all));
  const kinds = lines().flatMap(({ checkpoint }) => (checkpoint ? [checkpoint.kind as string] : []));
  expect(kinds).toEqual(['open', 'interval', 'interval', 'close']);
});

it('reports each checkpoint that it signs', async () => {
  const told: unknown[] = [];
  await withAuditLog((auditLog) => add(auditLog, record('one')), {
    onCheckpoint: (...place) => told.push(place),
  });
  expect(told).toEqual([[3, lines()[2]?.hash]]);
});

it('signs a checkpoint after one minute without further records', async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  try {
    const auditLog = await open();
    await add(auditLog, record('one'));
    jest.advanceTimersByTime(60_000);
    await add(auditLog, record('two'));
    expect(lines().map(({ checkpoint, id }) => checkpoint?.kind ?? id)).toEqual([
      'open',
      'one',
      'two',
      'interval',
    ]);
    await auditLog.close();
  } finally {
    jest.useRealTimers();
  }
});

it('resolves a write after the record is on disk', async () => {
  await withAuditLog(async (auditLog) => {
    await add(auditLog, record('first'));
    expect(ids()).toEqual(['first']);
  });
});

it('continues the same chain after a restart', async () => {
  await withAuditLog((auditLog) => add(auditLog, record('before')));
  await withAuditLog((auditLog) => add(auditLog, record('after')), { instance: 'another' });
  expect(ids()).toEqual(['before', 'after']);
  requireChain(lines());
});

it('continues the same chain after a crash', async () => {
  const auditLog = await open();
  await add(auditLog, record('before'));
  await crash(auditLog);
  await withAuditLog((next) => add(next, record('after')));
  expect(ids()).toEqual(['before', 'after']);
  requireChain(lines());
});

it.each(['{"arguments_sha256":null,"deci', '{"arguments', '{"a', '{'])(
  'truncates %s after a crash',
  async (torn) => {
    await withAuditLog((auditLog) => add(auditLog, record('whole')));
    appendFileSync(file, torn);
    await withAuditLog((auditLog) => add(auditLog, record('next')));
    expect(ids()).toEqual(['whole', 'next']);
    requireChain(lines());
  },
);

it('truncates zero bytes after the last record or after a partial record', async () => {
  let expected: string[] = [];
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: 600 }),
      fc.oneof(fc.nat({ max: 8192 }), fc.constant(2_500_000)),
      fc.boolean(),
      async (bytes, zeros, isFirst) => {
        if (isFirst) {
          rmSync(dirname(file), { recursive: true, force: true });
          expected = [];
        }
        await withAuditLog((auditLog) => add(auditLog, record('whole')));
        const whole = readFileSync(file);
        const line = whole.subarray(whole.subarray(0, -1).lastIndexOf('\n') + 1);
        appendFileSync(
          file,
          Buffer.concat([line.subarray(0, Math.min(bytes, line.length - 1)), Buffer.alloc(zeros)]),
        );
        await withAuditLog((auditLog) => add(auditLog, record('next')));
        expected.push('whole', 'next');
        expect(ids()).toEqual(expected);
        expect(readFileSync(file).subarray(0, whole.length).equals(whole)).toBe(true);
        requireChain(lines());
      },
    ),
    { numRuns: 30 },
  );
});

it('starts a new chain in a file with only a partial first record, zero bytes, or both', async () => {
  for (const left of ['{"arg', '\0'.repeat(5000), '{"arguments":1\0\0\0']) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, left);
    await withAuditLog((auditLog) => add(auditLog, record('first')));
    expect(ids()).toEqual(['first']);
    rmSync(file);
  }
});

it('removes records from disk that were not acknowledged before the stall limit', async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  try {
    const auditLog = await open();
    await add(auditLog, record('before'));
    const entries = ['a', 'b'].map((id) => auditLog.append(record(id)));
    const settled = Promise.allSettled(entries.map(({ written }) => written));
    await new Promise(setImmediate);
    // Advances past the stall limit while the write is still in progress.
    jest.advanceTimersByTime(6_000);
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(entries.map((entry) => entry.withdraw())).toEqual([false, false]);
    for (let left = 1000; left > 0 && !(await auditLog.writable()); left--) await new Promise(setImmediate);
    await add(auditLog, record('after'));
    expect(ids()).toEqual(['before', 'after']);
    requireChain(lines());
    await auditLog.close();
  } finally {
    jest.useRealTimers();
  }
});

it('loads its key while it holds the lock and reports whether records exist', async () => {
  const asked: boolean[] = [];
  const more: Partial<AuditLogOptions> = {
    key: async ({ end: last }) => {
      asked.push(last !== undefined);
      await expect(open()).rejects.toThrow('audit.jsonl.lock is held by process');
      return key;
    },
  };
  await withAuditLog((auditLog) => add(auditLog, record('one')), more);
  await withAuditLog((auditLog) => add(auditLog, record('two')), more);
  expect(asked).toEqual([false, true]);
});

it.each([
  'no audit log at all',
  'root:x:0:0\0\0\0\0',
  '{"arguments":1}\n\0\0x',
  'no audit log\n',
  '{"arguments":1,"seq":1}\nroot:x:0:0',
  '{"a":1}\n',
  '[]\n',
  '\n',
])('rejects a file that ends in %j and does not change it', async (content) => {
  await withAuditLog(async () => undefined);
  writeFileSync(file, content);
  await expect(open()).rejects.toThrow('does not end in a whole record');
  expect(readFileSync(file, 'utf8')).toBe(content);
  expect(existsSync(`${file}.lock`)).toBe(false);
});

it('rejects an audit log whose last record was changed', async () => {
  await withAuditLog((auditLog) => add(auditLog, record('one')));
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"kind":"close"/, '"kind":"clone"'));
  await expect(open()).rejects.toThrow('does not end in a whole record');
});

it('rejects a second process, also when it uses another path to the same file', async () => {
  await withAuditLog(async () => {
    await expect(open()).rejects.toThrow('audit.jsonl.lock is held by process');
    const link = join(folder, 'link.jsonl');
    symlinkSync(file, link);
    await expect(open({ file: link })).rejects.toThrow('audit.jsonl.lock is held by process');
  });
  await withAuditLog((auditLog) => add(auditLog, record('free again')));
});

it('rejects every record on a full disk and reports that it is not writable', async () => {
  file = join(folder, 'full');
  symlinkSync('/dev/full', file);
  const errors: unknown[] = [];
  const auditLog = await open({ onError: (error) => errors.push(error) });
  expect(await auditLog.writable()).toBe(false);
  const entries = ['1', '2', '3'].map((id) => auditLog.append(record(id)).written);
  const results = await Promise.allSettled(entries);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(await auditLog.writable()).toBe(false);
  await auditLog.close();
  expect(errors).toHaveLength(1);
});

it('probes the disk without leaving bytes in the file', async () => {
  await withAuditLog(async (auditLog) => {
    expect(await auditLog.writable()).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe('');
    await Promise.all([add(auditLog, record('one')), auditLog.writable(), add(auditLog, record('two'))]);
    expect(ids()).toEqual(['one', 'two']);
  });
});

it('rejects records after it is closed and writes those appended before', async () => {
  const auditLog = await open();
  const last = auditLog.append(record('last')).written;
  await auditLog.close();
  await last;
  await expect(auditLog.append(record('late')).written).rejects.toThrow('The audit log is closed');
  expect(await auditLog.writable()).toBe(false);
  expect(ids()).toEqual(['last']);
});

it('withdraws a record that still waits, but not one that is being written', async () => {
  await withAuditLog(async (auditLog) => {
    const [first, second] = [auditLog.append(record('first')), auditLog.append(record('second'))];
    expect(second.withdraw()).toBe(true);
    await first.written;
    expect([first.withdraw(), second.withdraw()]).toEqual([false, false]);
  });
  expect(ids()).toEqual(['first']);
});

describe('AuditLog with a file that changes while the server runs', () => {
  it.each<[string, () => void, RegExp]>([
    ['removes it', () => unlinkSync(file), /was removed/],
    ['moves it away', () => renameSync(file, `${file}.1`), /was moved away/],
    [
      'moves it and makes a new one',
      () => (renameSync(file, `${file}.1`), writeFileSync(file, '')),
      /was moved away/,
    ],
    ['cuts it', () => truncateSync(file, 10), /was changed from outside/],
    ['adds to it', () => appendFileSync(file, 'x'), /was changed from outside/],
    ['gives it a second name', () => linkSync(file, `${file}.2`), /second name/],
  ])('rejects records and is not writable after a process %s', async (_, act, why) => {
    const auditLog = await open({ onError: () => undefined });
    await add(auditLog, record('one'));
    act();
    await expect(add(auditLog, record('two'))).rejects.toThrow(why);
    expect(await auditLog.writable()).toBe(false);
    await auditLog.close();
  });
});

describe('AuditLog recovery of unfinished calls', () => {
  const unfinished = async () => {
    const auditLog = await open();
    const found = auditLog.before.unfinished.map(({ id }) => id);
    await auditLog.close();
    return found;
  };

  it('reports calls that had not ended before a crash', async () => {
    const auditLog = await open();
    await add(
      auditLog,
      call('ended'),
      call('open'),
      end('ended'),
      record('list'),
      record('no', { decision: 'deny' }),
    );
    await crash(auditLog);
    expect(await unfinished()).toEqual(['open']);
  });

  it('does not report calls whose outcome was recorded later', async () => {
    const auditLog = await open();
    await add(auditLog, call('open'));
    await crash(auditLog);
    await withAuditLog((next) => add(next, end('open')));
    expect(await unfinished()).toEqual([]);
  });

  it('reports calls that still ran at a shutdown', async () => {
    await withAuditLog((auditLog) => add(auditLog, call('open')));
    expect(await unfinished()).toEqual(['open']);
  });

  it('finds unfinished calls in archives', async () => {
    const auditLog = await open({ rotateBytes: 1 });
    await add(auditLog, call('first'));
    await add(auditLog, call('second'));
    await add(auditLog, end('first'));
    await add(auditLog, record('last'));
    await crash(auditLog);
    expect(await unfinished()).toEqual(['second']);
  });
});

describe('AuditLog rotation', () => {
  const archives = () =>
    readdirSync(dirname(file))
      .filter((name) => name !== 'audit.jsonl' && !name.endsWith('.lock'))
      .sort();

  it('rotates by size and continues the chain', async () => {
    await withAuditLog(
      async (auditLog) => {
        for (const id of ['a', 'b', 'c']) await add(auditLog, record(id));
      },
      { rotateBytes: 10 },
    );
    expect(archives()).toEqual(['audit.20261122.000000000001.jsonl', 'audit.20261122.000000000004.jsonl']);
    const all = [...archives(), 'audit.jsonl'].flatMap((name) => linesOf(join(dirname(file), name)));
    expect(all.map(({ checkpoint, id }) => checkpoint?.kind ?? id)).toEqual([
      'open',
      'a',
      'rotate',
      'open',
      'b',
      'rotate',
      'open',
      'c',
      'close',
    ]);
    requireChain(all);
  });

  it('rotates at the start of a new day', async () => {
    await withAuditLog(async (auditLog) => {
      await add(auditLog, record('one'));
      now = new Date('2026-11-22T23:59:59.999Z');
      await add(auditLog, record('two'));
      now = new Date('2026-11-23T00:00:00.000Z');
      await add(auditLog, record('three'));
    });
    expect(archives()).toEqual(['audit.20261122.000000000001.jsonl']);
    expect(ids()).toEqual(['three']);
  });

  it('rotates at startup if the day changed', async () => {
    await withAuditLog((auditLog) => add(auditLog, record('one')));
    now = new Date('2026-12-01T00:00:00.000Z');
    await withAuditLog((auditLog) => add(auditLog, record('two')));
    expect(archives()).toEqual(['audit.20261122.000000000001.jsonl']);
    const all = [...linesOf(join(dirname(file), archives()[0] as string)), ...lines()];
    requireChain(all);
  });

  it('continues the chain after a crash between two files', async () => {
    const auditLog = await open();
    await add(auditLog, record('one'), call('open'));
    await crash(auditLog);
    renameSync(file, join(dirname(file), 'audit.20261122.000000000001.jsonl'));
    const next = await open();
    expect(next.before.unfinished.map(({ id }) => id)).toEqual(['open']);
    await add(next, record('two'));
    await next.close();
    expect(lines()[0]).toMatchObject({ seq: 4, event: 'checkpoint' });
    requireChain([...linesOf(join(dirname(file), archives()[0] as string)), ...lines()]);
  });
});

describe('AuditLog with a batch that fits only in part', () => {
  /** Appends the records in a process whose file size limit is 16 KiB; returns the result of each write. */
  function appendWithin16KiB(...batches: string[][]): string[][] {
    const program = compileForChild(
      ['audit/audit-log', 'audit/signing-key'],
      join(folder, 'compiled'),
      `const { readFileSync } = require('node:fs');
      const { AuditLog } = require('./audit/audit-log.js');
      const { signingKeyOf } = require('./audit/signing-key.js');
      (async () => {
        const [file, pem, blank, batches] = JSON.parse(readFileSync(0, 'utf8'));
        const auditLog = await AuditLog.open({
          file, key: () => signingKeyOf(pem, 'key'), instance: 'gate-1', rotateBytes: 0, rotateDaily: false,
          now: () => new Date(), onCheckpoint: () => undefined, onError: () => undefined,
        });
        const answers = [];
        for (const batch of batches) {
          const entries = batch.map((id) => auditLog.append({ ...blank, id, event: 'list' }).written);
          const settled = (await Promise.allSettled(entries)).map(({ status }) => status);
          answers.push([...settled, readFileSync(file, 'utf8').endsWith('}\\n') ? 'whole' : 'torn']);
        }
        await auditLog.close();
        process.stdout.write(JSON.stringify(answers));
      })();`,
    );
    const { stdout, stderr } = spawnSync(
      'bash',
      ['-c', 'trap "" XFSZ; ulimit -f 16; exec "$0" "$@"', process.execPath, program],
      { encoding: 'utf8', input: JSON.stringify([file, PEM, blank, batches]) },
    );
    expect(stderr).toBe('');
    return JSON.parse(stdout) as string[][];
  }

  it('rejects the whole batch, leaves no partial line and accepts the next batch that fits', () => {
    const long = 'x'.repeat(4000);
    const answers = appendWithin16KiB(['a', 'b'], [long, long, long, long], ['c'], [long, long]);
    expect(answers).toEqual([
      ['fulfilled', 'fulfilled', 'whole'],
      [...Array.from({ length: 4 }, () => 'rejected'), 'whole'],
      ['fulfilled', 'whole'],
      ['fulfilled', 'fulfilled', 'whole'],
    ]);
    expect(ids()).toEqual(['a', 'b', 'c', long, long]);
    requireChain(lines());
  });
});

it('writes an unawaited record with the next one, or alone after a short delay', async () => {
  await withAuditLog(async (auditLog) => {
    await add(auditLog, call('first'));
    const late = auditLog.append(end('first'), false);
    await add(auditLog, call('second'));
    expect(ids()).toEqual(['first', 'end-first', 'second']);
    await late.written;
    await auditLog.append(end('second'), false).written;
    expect(ids()).toEqual(['first', 'end-first', 'second', 'end-second']);
  });
});

it('writes unawaited records before it closes', async () => {
  await withAuditLog(async (auditLog) => {
    await add(auditLog, call('first'));
    void auditLog.append(end('first'), false);
  });
  expect(ids()).toEqual(['first', 'end-first']);
});
