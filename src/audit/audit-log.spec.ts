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
import { unseal } from './chain.js';
import { Ledger, type LedgerOptions } from './audit-log.js';
import { changeRecord, type AuditRecord } from './record.js';
import { signingKeyOf } from './signing-key.js';

const PEM = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const key = signingKeyOf(PEM, 'test');

let folder: string;
let file: string;
let now: Date;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ledger-'));
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
    .map((line) => unseal(line) ?? { broken: line });
const lines = () => linesOf(file);
/** What is not the ledger's own. */
const ids = () => lines().flatMap(({ event, id }) => (event === 'checkpoint' ? [] : [id as string]));

function open(more: Partial<LedgerOptions> = {}): Promise<Ledger> {
  return Ledger.open({
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

async function withLedger<T>(use: (ledger: Ledger) => Promise<T>, more?: Partial<LedgerOptions>): Promise<T> {
  const ledger = await open(more);
  try {
    return await use(ledger);
  } finally {
    await ledger.close();
  }
}

const add = (ledger: Ledger, ...records: AuditRecord[]) =>
  Promise.all(records.map((one) => ledger.append(one).written));

/** Leaves the file as kill -9 would: what is on the disk, and no more. */
async function crash(ledger: Ledger): Promise<void> {
  const content = readFileSync(file);
  await ledger.close();
  writeFileSync(file, content);
}

function requireChain(all: readonly Line[]): void {
  all.forEach((line, at) => {
    expect(line).toMatchObject({ v: 1, seq: (all[0] as Line).seq + at, instance: 'gate-1' });
    if (at > 0) expect(line.prev).toBe(all[at - 1]?.hash);
  });
}

it('keeps the order of many that write at once, and chains them without a gap', async () => {
  const all = Array.from({ length: 2500 }, (_, at) => String(at));
  await withLedger((ledger) => add(ledger, ...all.map((id) => record(id))));
  expect(ids()).toEqual(all);
  expect(lines()[0]).toMatchObject({ seq: 1, prev: null });
  requireChain(lines());
});

it('signs the beginning and the end, and in between after a thousand records', async () => {
  const all = Array.from({ length: 2500 }, (_, at) => record(String(at)));
  await withLedger((ledger) => add(ledger, ...all));
  const kinds = lines().flatMap(({ checkpoint }) => (checkpoint ? [checkpoint.kind as string] : []));
  expect(kinds).toEqual(['open', 'interval', 'interval', 'close']);
});

it('tells where it signed', async () => {
  const told: unknown[] = [];
  await withLedger((ledger) => add(ledger, record('one')), { onCheckpoint: (...place) => told.push(place) });
  expect(told).toEqual([[3, lines()[2]?.hash]]);
});

it('signs what nothing follows, after a minute', async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  try {
    const ledger = await open();
    await add(ledger, record('one'));
    jest.advanceTimersByTime(60_000);
    await add(ledger, record('two'));
    expect(lines().map(({ checkpoint, id }) => checkpoint?.kind ?? id)).toEqual([
      'open',
      'one',
      'two',
      'interval',
    ]);
    await ledger.close();
  } finally {
    jest.useRealTimers();
  }
});

it('has the record on the disk when the writer is told so', async () => {
  await withLedger(async (ledger) => {
    await add(ledger, record('first'));
    expect(ids()).toEqual(['first']);
  });
});

it('goes on after a restart, as the same chain', async () => {
  await withLedger((ledger) => add(ledger, record('before')));
  await withLedger((ledger) => add(ledger, record('after')), { instance: 'another' });
  expect(ids()).toEqual(['before', 'after']);
  requireChain(lines());
});

it('goes on after a crash, as the same chain', async () => {
  const ledger = await open();
  await add(ledger, record('before'));
  await crash(ledger);
  await withLedger((next) => add(next, record('after')));
  expect(ids()).toEqual(['before', 'after']);
  requireChain(lines());
});

it.each(['{"arguments_sha256":null,"deci', '{"arguments', '{"a', '{'])(
  'cuts off %s, which a crash left behind',
  async (torn) => {
    await withLedger((ledger) => add(ledger, record('whole')));
    appendFileSync(file, torn);
    await withLedger((ledger) => add(ledger, record('next')));
    expect(ids()).toEqual(['whole', 'next']);
    requireChain(lines());
  },
);

it('cuts off zeros behind the last record, and behind half a record', async () => {
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
        await withLedger((ledger) => add(ledger, record('whole')));
        const whole = readFileSync(file);
        const line = whole.subarray(whole.subarray(0, -1).lastIndexOf('\n') + 1);
        appendFileSync(
          file,
          Buffer.concat([line.subarray(0, Math.min(bytes, line.length - 1)), Buffer.alloc(zeros)]),
        );
        await withLedger((ledger) => add(ledger, record('next')));
        expected.push('whole', 'next');
        expect(ids()).toEqual(expected);
        expect(readFileSync(file).subarray(0, whole.length).equals(whole)).toBe(true);
        requireChain(lines());
      },
    ),
    { numRuns: 30 },
  );
});

it('begins anew in a file that holds half a first record, zeros, or both', async () => {
  for (const left of ['{"arg', '\0'.repeat(5000), '{"arguments":1\0\0\0']) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, left);
    await withLedger((ledger) => add(ledger, record('first')));
    expect(ids()).toEqual(['first']);
    rmSync(file);
  }
});

it('gives the disk no record that it did not acknowledge in time, once it answers again', async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  try {
    const ledger = await open();
    await add(ledger, record('before'));
    const entries = ['a', 'b'].map((id) => ledger.append(record(id)));
    const settled = Promise.allSettled(entries.map(({ written }) => written));
    await new Promise(setImmediate);
    // As long as a disk that hangs: the write is under way, and its end is not seen in this time.
    jest.advanceTimersByTime(6_000);
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(entries.map((entry) => entry.withdraw())).toEqual([false, false]);
    for (let left = 1000; left > 0 && !(await ledger.writable()); left--) await new Promise(setImmediate);
    await add(ledger, record('after'));
    expect(ids()).toEqual(['before', 'after']);
    requireChain(lines());
    await ledger.close();
  } finally {
    jest.useRealTimers();
  }
});

it('asks for its key while it is locked, and says whether anything was signed before', async () => {
  const asked: boolean[] = [];
  const more: Partial<LedgerOptions> = {
    key: async ({ end: last }) => {
      asked.push(last !== undefined);
      await expect(open()).rejects.toThrow('audit.jsonl.lock is held by process');
      return key;
    },
  };
  await withLedger((ledger) => add(ledger, record('one')), more);
  await withLedger((ledger) => add(ledger, record('two')), more);
  expect(asked).toEqual([false, true]);
});

it.each([
  'no ledger at all',
  'root:x:0:0\0\0\0\0',
  '{"arguments":1}\n\0\0x',
  'no ledger\n',
  '{"arguments":1,"seq":1}\nroot:x:0:0',
  '{"a":1}\n',
  '[]\n',
  '\n',
])('refuses %j, and leaves it as it is', async (content) => {
  await withLedger(async () => undefined);
  writeFileSync(file, content);
  await expect(open()).rejects.toThrow('does not end in a whole record');
  expect(readFileSync(file, 'utf8')).toBe(content);
  expect(existsSync(`${file}.lock`)).toBe(false);
});

it('refuses a ledger whose last record was changed', async () => {
  await withLedger((ledger) => add(ledger, record('one')));
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"kind":"close"/, '"kind":"clone"'));
  await expect(open()).rejects.toThrow('does not end in a whole record');
});

it('belongs to one at a time, whatever name leads to it', async () => {
  await withLedger(async () => {
    await expect(open()).rejects.toThrow('audit.jsonl.lock is held by process');
    const link = join(folder, 'link.jsonl');
    symlinkSync(file, link);
    await expect(open({ file: link })).rejects.toThrow('audit.jsonl.lock is held by process');
  });
  await withLedger((ledger) => add(ledger, record('free again')));
});

it('tells every writer of a full disk, and is not writable', async () => {
  file = join(folder, 'full');
  symlinkSync('/dev/full', file);
  const errors: unknown[] = [];
  const ledger = await open({ onError: (error) => errors.push(error) });
  expect(await ledger.writable()).toBe(false);
  const entries = ['1', '2', '3'].map((id) => ledger.append(record(id)).written);
  const results = await Promise.allSettled(entries);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(await ledger.writable()).toBe(false);
  await ledger.close();
  expect(errors).toHaveLength(1);
});

it('tries whether it could write, and leaves no trace of it', async () => {
  await withLedger(async (ledger) => {
    expect(await ledger.writable()).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe('');
    await Promise.all([add(ledger, record('one')), ledger.writable(), add(ledger, record('two'))]);
    expect(ids()).toEqual(['one', 'two']);
  });
});

it('takes nothing after it was closed, and everything before', async () => {
  const ledger = await open();
  const last = ledger.append(record('last')).written;
  await ledger.close();
  await last;
  await expect(ledger.append(record('late')).written).rejects.toThrow('The ledger is closed');
  expect(await ledger.writable()).toBe(false);
  expect(ids()).toEqual(['last']);
});

it('gives back a record that still waits, and none that is being written', async () => {
  await withLedger(async (ledger) => {
    const [first, second] = [ledger.append(record('first')), ledger.append(record('second'))];
    expect(second.withdraw()).toBe(true);
    await first.written;
    expect([first.withdraw(), second.withdraw()]).toEqual([false, false]);
  });
  expect(ids()).toEqual(['first']);
});

describe('what somebody does to the file under the running server', () => {
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
  ])('%s: nothing is recorded, and so nothing allowed', async (_, act, why) => {
    const ledger = await open({ onError: () => undefined });
    await add(ledger, record('one'));
    act();
    await expect(add(ledger, record('two'))).rejects.toThrow(why);
    expect(await ledger.writable()).toBe(false);
    await ledger.close();
  });
});

describe('calls that never ended', () => {
  const unfinished = async () => {
    const ledger = await open();
    const found = ledger.before.unfinished.map(({ id }) => id);
    await ledger.close();
    return found;
  };

  it('are told after a crash, and those that ended are not', async () => {
    const ledger = await open();
    await add(
      ledger,
      call('ended'),
      call('open'),
      end('ended'),
      record('list'),
      record('no', { decision: 'deny' }),
    );
    await crash(ledger);
    expect(await unfinished()).toEqual(['open']);
  });

  it('are told once they are given an end no more', async () => {
    const ledger = await open();
    await add(ledger, call('open'));
    await crash(ledger);
    await withLedger((next) => add(next, end('open')));
    expect(await unfinished()).toEqual([]);
  });

  it('are told after a stop that did not wait for them', async () => {
    await withLedger((ledger) => add(ledger, call('open')));
    expect(await unfinished()).toEqual(['open']);
  });

  it('are told by the files before', async () => {
    const ledger = await open({ rotateBytes: 1 });
    await add(ledger, call('first'));
    await add(ledger, call('second'));
    await add(ledger, end('first'));
    await add(ledger, record('last'));
    await crash(ledger);
    expect(await unfinished()).toEqual(['second']);
  });
});

describe('files put aside', () => {
  const archives = () =>
    readdirSync(dirname(file))
      .filter((name) => name !== 'audit.jsonl' && !name.endsWith('.lock'))
      .sort();

  it('by size, and the chain goes on', async () => {
    await withLedger(
      async (ledger) => {
        for (const id of ['a', 'b', 'c']) await add(ledger, record(id));
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

  it('by day', async () => {
    await withLedger(async (ledger) => {
      await add(ledger, record('one'));
      now = new Date('2026-11-22T23:59:59.999Z');
      await add(ledger, record('two'));
      now = new Date('2026-11-23T00:00:00.000Z');
      await add(ledger, record('three'));
    });
    expect(archives()).toEqual(['audit.20261122.000000000001.jsonl']);
    expect(ids()).toEqual(['three']);
  });

  it('by day over a restart', async () => {
    await withLedger((ledger) => add(ledger, record('one')));
    now = new Date('2026-12-01T00:00:00.000Z');
    await withLedger((ledger) => add(ledger, record('two')));
    expect(archives()).toEqual(['audit.20261122.000000000001.jsonl']);
    const all = [...linesOf(join(dirname(file), archives()[0] as string)), ...lines()];
    requireChain(all);
  });

  it('a crash between two files leaves one chain', async () => {
    const ledger = await open();
    await add(ledger, record('one'), call('open'));
    await crash(ledger);
    renameSync(file, join(dirname(file), 'audit.20261122.000000000001.jsonl'));
    const next = await open();
    expect(next.before.unfinished.map(({ id }) => id)).toEqual(['open']);
    await add(next, record('two'));
    await next.close();
    expect(lines()[0]).toMatchObject({ seq: 4, event: 'checkpoint' });
    requireChain([...linesOf(join(dirname(file), archives()[0] as string)), ...lines()]);
  });
});

describe('where a batch fits only in part', () => {
  /** A process that may not let a file grow beyond 16 KiB appends these records, and says what became of each. */
  function appendWithin16KiB(...batches: string[][]): string[][] {
    const program = compileForChild(
      ['audit/ledger', 'audit/signing-key'],
      join(folder, 'compiled'),
      `const { readFileSync } = require('node:fs');
      const { Ledger } = require('./audit/ledger.js');
      const { signingKeyOf } = require('./audit/signing-key.js');
      (async () => {
        const [file, pem, blank, batches] = JSON.parse(readFileSync(0, 'utf8'));
        const ledger = await Ledger.open({
          file, key: () => signingKeyOf(pem, 'key'), instance: 'gate-1', rotateBytes: 0, rotateDaily: false,
          now: () => new Date(), onCheckpoint: () => undefined, onError: () => undefined,
        });
        const answers = [];
        for (const batch of batches) {
          const entries = batch.map((id) => ledger.append({ ...blank, id, event: 'list' }).written);
          const settled = (await Promise.allSettled(entries)).map(({ status }) => status);
          answers.push([...settled, readFileSync(file, 'utf8').endsWith('}\\n') ? 'whole' : 'torn']);
        }
        await ledger.close();
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

  it('every writer of it is told so, no half line stays, and the next one that fits is taken', () => {
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

it('lets a record that nobody waits for go with the next one, and by itself where none comes', async () => {
  await withLedger(async (ledger) => {
    await add(ledger, call('first'));
    const late = ledger.append(end('first'), false);
    await add(ledger, call('second'));
    expect(ids()).toEqual(['first', 'end-first', 'second']);
    await late.written;
    await ledger.append(end('second'), false).written;
    expect(ids()).toEqual(['first', 'end-first', 'second', 'end-second']);
  });
});

it('does not close before what nobody waits for', async () => {
  await withLedger(async (ledger) => {
    await add(ledger, call('first'));
    void ledger.append(end('first'), false);
  });
  expect(ids()).toEqual(['first', 'end-first']);
});
