import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LedgerFile } from './ledger-file.js';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ledger-'));
  file = join(folder, 'deep', 'audit.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const record = (text: string) => (seq: number) => JSON.stringify({ v: 1, seq, text });
const lines = () =>
  readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { seq: number; text: string });

async function withLedger<T>(use: (ledger: LedgerFile) => Promise<T>): Promise<T> {
  const ledger = await LedgerFile.open(file);
  try {
    return await use(ledger);
  } finally {
    await ledger.close();
  }
}

it('keeps the order of many that write at once, and numbers them without a gap', async () => {
  await withLedger((ledger) =>
    Promise.all(Array.from({ length: 500 }, (_, at) => ledger.append(record(String(at))))),
  );
  expect(lines().map(({ seq, text }) => [seq, text])).toEqual(
    Array.from({ length: 500 }, (_, at) => [at + 1, String(at)]),
  );
});

it('has the line on the disk when the writer is told so', async () => {
  await withLedger(async (ledger) => {
    await ledger.append(record('first'));
    expect(lines()).toHaveLength(1);
  });
});

it('goes on after a restart', async () => {
  await withLedger((ledger) => ledger.append(record('before')));
  await withLedger((ledger) => ledger.append(record('after')));
  expect(lines().map(({ seq }) => seq)).toEqual([1, 2]);
});

it.each(['{"v":1,"seq":2,"te', '{"v":1,"seq":', '{"v"', '{'])(
  'cuts off %s, which a crash left behind',
  async (torn) => {
    await withLedger((ledger) => ledger.append(record('whole')));
    writeFileSync(file, torn, { flag: 'a' });
    await withLedger((ledger) => ledger.append(record('next')));
    expect(lines().map(({ seq, text }) => [seq, text])).toEqual([
      [1, 'whole'],
      [2, 'next'],
    ]);
  },
);

it.each(['no ledger at all', 'no ledger\n', '{"v":1,"seq":1}\nroot:x:0:0', '{"a":1}\n', '[]\n', '\n'])(
  'refuses %j, and leaves it as it is',
  async (content) => {
    await withLedger(async () => undefined);
    writeFileSync(file, content);
    await expect(LedgerFile.open(file)).rejects.toThrow('The file does not end in a record');
    expect(readFileSync(file, 'utf8')).toBe(content);
    expect(existsSync(`${file}.lock`)).toBe(false);
  },
);

it('belongs to one at a time', async () => {
  await withLedger(async () => {
    await expect(LedgerFile.open(file)).rejects.toThrow('audit.jsonl.lock is held by process');
  });
  await withLedger((ledger) => ledger.append(record('free again')));
});

it('refuses a line that cannot be made, and stays whole', async () => {
  await withLedger(async (ledger) => {
    await ledger.append(record('good'));
    const broken = ledger.append(() => {
      throw new Error('no line');
    });
    await expect(broken).rejects.toThrow('no line');
    await ledger.append(record('good again'));
  });
  expect(lines().map(({ seq }) => seq)).toEqual([1, 2]);
});

it('tells every writer of a full disk, and is not writable', async () => {
  file = join(folder, 'full');
  symlinkSync('/dev/full', file);
  await withLedger(async (ledger) => {
    expect(await ledger.writable()).toBe(false);
    const results = await Promise.allSettled([1, 2, 3].map((at) => ledger.append(record(String(at)))));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(await ledger.writable()).toBe(false);
  });
});

it('tries whether it could write, and leaves no trace of it', async () => {
  await withLedger(async (ledger) => {
    expect(await ledger.writable()).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe('');
    await Promise.all([ledger.append(record('one')), ledger.writable(), ledger.append(record('two'))]);
    expect(lines().map(({ seq }) => seq)).toEqual([1, 2]);
  });
});

it('takes nothing after it was closed, and everything before', async () => {
  const ledger = await LedgerFile.open(file);
  const last = ledger.append(record('last'));
  await ledger.close();
  await last;
  await expect(ledger.append(record('late'))).rejects.toThrow('The ledger is closed');
  expect(await ledger.writable()).toBe(false);
  expect(lines()).toHaveLength(1);
});
