import { transformFileSync } from '@swc/core';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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

it('belongs to one at a time, whatever name leads to it', async () => {
  await withLedger(async () => {
    const link = join(folder, 'link.jsonl');
    symlinkSync(file, link);
    await expect(LedgerFile.open(link)).rejects.toThrow('audit.jsonl.lock is held by process');
  });
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

describe('where a batch fits only in part', () => {
  /** A process that may not let a file grow beyond 4 KiB appends these lines, and says what became of each. */
  function appendWithin4KiB(...batches: string[][]): string[][] {
    const compiled = join(folder, 'compiled');
    for (const source of ['audit/ledger-file', 'common/file-lock']) {
      const { code } = transformFileSync(join(__dirname, '..', `${source}.ts`), {
        swcrc: false,
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs' },
      });
      mkdirSync(dirname(join(compiled, source)), { recursive: true });
      writeFileSync(join(compiled, `${source}.js`), code);
    }
    writeFileSync(
      join(compiled, 'main.js'),
      `const { readFileSync } = require('node:fs');
      const { LedgerFile } = require('./audit/ledger-file.js');
      (async () => {
        const ledger = await LedgerFile.open(process.argv[2]);
        const answers = [];
        for (const batch of JSON.parse(process.argv[3])) {
          const lines = batch.map((text) => ledger.append((seq) => JSON.stringify({ v: 1, seq, text })));
          const settled = (await Promise.allSettled(lines)).map(({ status }) => status);
          answers.push([...settled, readFileSync(process.argv[2], 'utf8').endsWith('}\\n') ? 'whole' : 'torn']);
        }
        await ledger.close();
        process.stdout.write(JSON.stringify(answers));
      })();`,
    );
    const { stdout, stderr } = spawnSync(
      'bash',
      [
        '-c',
        'trap "" XFSZ; ulimit -f 4; exec "$0" "$@"',
        process.execPath,
        join(compiled, 'main.js'),
        file,
      ].concat(JSON.stringify(batches)),
      { encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    return JSON.parse(stdout) as string[][];
  }

  it('every writer of it is told so, no half line stays, and the next one that fits is taken', () => {
    const long = 'x'.repeat(1000);
    const answers = appendWithin4KiB(['a', 'b'], [long, long, long, long, long], ['c'], [long, long]);
    expect(answers).toEqual([
      ['fulfilled', 'fulfilled', 'whole'],
      [...Array.from({ length: 5 }, () => 'rejected'), 'whole'],
      ['fulfilled', 'whole'],
      ['fulfilled', 'fulfilled', 'whole'],
    ]);
    expect(lines().map(({ seq, text }) => [seq, text])).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
      [4, long],
      [5, long],
    ]);
  });
});
