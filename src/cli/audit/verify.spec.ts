import fc from 'fast-check';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeWithHash, decodeVerified } from '../../audit/chain.js';
import { appendToChain, type ChainHead } from '../../audit/append-to-chain.js';
import { changeRecord, type AuditRecord, type Checkpoint } from '../../audit/record.js';
import { signingKeyOf } from '../../audit/signing-key.js';
import type { Trust, Verdict } from './verdict.js';
import { verifyChain } from './verify.js';

const pem = () =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const KEY = signingKeyOf(pem(), 'key');
const THIEF = signingKeyOf(pem(), 'thief');
const TRUSTED: Trust = { keys: [KEY.publicKey], expected: undefined };
const TRUSTING: Trust = { keys: undefined, expected: undefined };

const folder = mkdtempSync(join(tmpdir(), 'verify-'));
afterAll(() => rmSync(folder, { recursive: true }));

const { change: _change, ...blank } = changeRecord({ what: 'key', from: '', to: '' }, '');
const records = (count: number): AuditRecord[] =>
  Array.from({ length: count }, (_, at) => ({ ...blank, id: `id-${at}`, event: 'list' }));

function checkpoint(kind: Checkpoint['kind'], key = KEY): Checkpoint {
  return { kind, key_id: key.id, ...(kind !== 'interval' && { key: key.jwk, open: [] }) };
}

interface Chain {
  readonly key?: typeof KEY;
  readonly from?: ChainHead;
  readonly instance?: string;
}

/** Lines of one file and the end of its chain. */
function written(
  all: readonly (AuditRecord | Checkpoint)[],
  { key = KEY, from, instance = 'gate-1' }: Chain = {},
) {
  const { text, end } = appendToChain(all, from ?? { seq: 0, hash: null }, {
    instance,
    key,
    time: '2026-11-22T10:00:00.000Z',
  });
  return { lines: text.trimEnd().split('\n'), end };
}

/** Ten records in two files: open, 1–3, interval, 4–6, rotate · open, 7–9, interval, 10, close. */
const first = written([
  checkpoint('open'),
  ...records(3),
  checkpoint('interval'),
  ...records(3),
  checkpoint('rotate'),
]);
const second = written(
  [checkpoint('open'), ...records(3), checkpoint('interval'), ...records(1), checkpoint('close')],
  { from: first.end },
);

function verify(files: readonly (readonly string[])[], trust: Trust = TRUSTED): Promise<Verdict> {
  const paths = files.map((lines, at) => {
    const path = join(folder, `${at}.jsonl`);
    writeFileSync(path, lines.length > 0 ? `${lines.join('\n')}\n` : '');
    return path;
  });
  return verifyChain(paths, trust);
}

const without = (lines: readonly string[], at: number, count = 1) => [
  ...lines.slice(0, at),
  ...lines.slice(at + count),
];
const swapped = (lines: readonly string[], a: number, b: number) =>
  lines.map((line, at) => (at === a ? lines[b] : at === b ? lines[a] : line) as string);
const edited = (lines: readonly string[], at: number) =>
  lines.map((line, index) => (index === at ? line.replace('"list"', '"lost"') : line));
/** A record with other content and a new hash: a forger without the key. */
const rewritten = (lines: readonly string[], at: number) =>
  lines.map((line, index) => {
    if (index !== at) return line;
    const { hash: _hash, ...rest } = decodeVerified(line) ?? {};
    return encodeWithHash({ ...rest, tool: 'forged' }).line;
  });

it('reports no fault in an unchanged log, and the number of the last signed record', async () => {
  for (const trust of [TRUSTED, TRUSTING]) {
    const verdict = await verify([first.lines, second.lines], trust);
    expect(verdict).toMatchObject({
      fault: null,
      instance: 'gate-1',
      records: first.lines.length + second.lines.length,
      from: { seq: 1 },
      to: { seq: 16, hash: second.end.hash },
      signedUntil: 16,
      checkpoints: 6,
      keys: [KEY.id],
      notes: [],
    });
  }
});

it('verifies a chain that begins with its second file, and notes the missing records', async () => {
  const verdict = await verify([second.lines]);
  expect(verdict.fault).toBeNull();
  expect(verdict.notes.join()).toContain('begins at record 10');
});

it.each([
  ['a record behind the last signature', second.lines.slice(0, -1), 'its last 1 record(s) are not signed'],
  ['nothing behind the last signature', second.lines.slice(0, -2), 'its last record is signed'],
])('reports no fault in a log without a closing record: %s', async (_, lines, message) => {
  const verdict = await verify([first.lines, lines]);
  expect(verdict.fault).toBeNull();
  expect(verdict.notes.join()).toContain(message);
});

it('accepts half a record at the end of the log but not at the end of an earlier file', async () => {
  const torn = (lines: readonly string[]) => [...lines, (lines[0] as string).slice(0, 50)];
  const [a, b] = [join(folder, 'a.jsonl'), join(folder, 'b.jsonl')];
  writeFileSync(a, torn(first.lines).join('\n'));
  const alone = await verifyChain([a], TRUSTED);
  expect(alone.fault).toBeNull();
  expect(alone.notes.join()).toContain('in the middle of a record');
  writeFileSync(b, `${second.lines.join('\n')}\n`);
  expect((await verifyChain([a, b], TRUSTED)).fault).toMatchObject({ kind: 'truncated', file: 'a.jsonl' });
});

it('accepts zero bytes or half a record after the last record, and rejects other data', async () => {
  const whole = `${second.lines.join('\n')}\n`;
  const half = second.lines[1] as string;
  const path = join(folder, 'zeros.jsonl');
  const faultOf = async (tail: string) => {
    writeFileSync(path, `${whole}${tail}`);
    return verifyChain([path], TRUSTED);
  };
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: half.length - 1 }),
      fc.oneof(fc.nat({ max: 8192 }), fc.constant(10_000_000)),
      async (bytes, zeros) => {
        const { fault, notes } = await faultOf(half.slice(0, bytes) + '\0'.repeat(zeros));
        expect(fault).toBeNull();
        expect(notes.some((note) => note.includes(`ends in ${zeros} zero byte(s)`))).toBe(zeros > 0);
        expect(notes.some((note) => note.includes('ends in the middle of a record'))).toBe(bytes > 0);
      },
    ),
    { numRuns: 25 },
  );
  for (const tail of ['\0x', 'root:x:0:0', 'root:x:0:0\0\0', '\0\n', '{"a":1}\n\0'])
    expect((await faultOf(tail)).fault).toMatchObject({ kind: 'no_record' });
});

it('names the earlier file that ends in zero bytes', async () => {
  const paths = ['zeros-1.jsonl', 'zeros-2.jsonl'].map((name) => join(folder, name));
  writeFileSync(paths[0] as string, `${first.lines.join('\n')}\n\0\0\0`);
  writeFileSync(paths[1] as string, `${second.lines.join('\n')}\n`);
  expect((await verifyChain(paths, TRUSTED)).fault).toMatchObject({
    kind: 'truncated',
    file: 'zeros-1.jsonl',
    message: 'zeros-1.jsonl ends in 3 zero byte(s).',
  });
});

it.each<[string, readonly string[], readonly string[], object]>([
  [
    'a changed record',
    edited(first.lines, 2),
    second.lines,
    { kind: 'changed', seq: 3, line: 3, file: '0.jsonl' },
  ],
  [
    'a changed record whose hash was made anew',
    rewritten(first.lines, 2),
    second.lines,
    { kind: 'changed', seq: 3, line: 3 },
  ],
  [
    'a changed first record whose hash was made anew',
    rewritten(first.lines, 1),
    second.lines,
    { kind: 'changed', seq: 2 },
  ],
  [
    'a changed checkpoint',
    edited(first.lines, 0).map((line, at) => (at === 0 ? line.replace('"open"', '"gone"') : line)),
    second.lines,
    { kind: 'changed', seq: 1 },
  ],
  ['a removed record', without(first.lines, 2), second.lines, { kind: 'removed', seq: 3, line: 3 }],
  ['removed records', without(first.lines, 2, 4), second.lines, { kind: 'removed', seq: 3 }],
  ['a removed first record', without(first.lines, 0), second.lines, { kind: 'removed', seq: 2, line: 1 }],
  [
    'a removed end of a file',
    first.lines.slice(0, -2),
    second.lines,
    { kind: 'truncated', seq: 8, file: '1.jsonl' },
  ],
  ['an emptied file', [], without(second.lines, 0), { kind: 'removed' }],
  [
    'a record put in',
    [...first.lines.slice(0, 3), written(records(1)).lines[0] as string, ...first.lines.slice(3)],
    second.lines,
    { kind: 'inserted', line: 4 },
  ],
  [
    'a record twice',
    [...first.lines.slice(0, 3), first.lines[2] as string, ...first.lines.slice(3)],
    second.lines,
    { kind: 'inserted', seq: 3, line: 4 },
  ],
  [
    'two records in another order',
    swapped(first.lines, 2, 3),
    second.lines,
    { kind: 'reordered', seq: 4, line: 3 },
  ],
  [
    'records over a checkpoint in another order',
    swapped(first.lines, 2, 5),
    second.lines,
    { kind: 'reordered', seq: 6, line: 3 },
  ],
  [
    'something else',
    [...first.lines.slice(0, 3), 'hello', ...first.lines.slice(3)],
    second.lines,
    { kind: 'no_record', line: 4 },
  ],
  [
    'an empty line',
    [...first.lines.slice(0, 3), '', ...first.lines.slice(3)],
    second.lines,
    { kind: 'no_record', line: 4 },
  ],
  [
    'a file of another chain',
    first.lines,
    written([checkpoint('open')], { instance: 'gate-2', from: first.end }).lines,
    { kind: 'other_chain', file: '1.jsonl' },
  ],
])('reports %s', async (_, one, two, fault) => {
  for (const trust of [TRUSTED, TRUSTING])
    expect((await verify([one, two], trust)).fault).toMatchObject(fault);
});

it('rejects a consistent chain that is signed with an untrusted key', async () => {
  const forged = written([checkpoint('open', THIEF), ...records(3), checkpoint('close', THIEF)], {
    key: THIEF,
  });
  expect((await verify([forged.lines], TRUSTING)).fault).toBeNull();
  expect((await verify([forged.lines])).fault).toMatchObject({ kind: 'unknown_key', seq: 1 });
});

describe('verifyChain with a new key', () => {
  const keyChange = changeRecord({ what: 'key', from: KEY.id, to: THIEF.id }, 'key');
  const thiefs = (kind: Checkpoint['kind']) => checkpoint(kind, THIEF);
  const going = written([checkpoint('open'), ...records(2), checkpoint('interval')]);

  it('accepts a new key that a record announces', async () => {
    const announced = written([keyChange, ...records(2), thiefs('close')], { key: THIEF, from: going.end });
    const verdict = await verify([[...going.lines, ...announced.lines]], TRUSTING);
    expect(verdict).toMatchObject({ fault: null, keys: [KEY.id, THIEF.id], notes: [] });
  });

  it('accepts a rotation before the record that announces the new key', async () => {
    const aside = written([thiefs('rotate')], { key: THIEF, from: going.end });
    const next = written([thiefs('open'), keyChange, ...records(2), thiefs('close')], {
      key: THIEF,
      from: aside.end,
    });
    const verdict = await verify([[...going.lines, ...aside.lines], next.lines], TRUSTING);
    expect(verdict).toMatchObject({ fault: null, notes: [] });
  });

  it('rejects a new key without a record that announces it', async () => {
    const silent = written([...records(2), thiefs('close')], { key: THIEF, from: going.end });
    const verdict = await verify([[...going.lines, ...silent.lines]], TRUSTING);
    expect(verdict.fault).toMatchObject({ kind: 'unknown_key', seq: 7 });
  });
});

it('notes a missing next file, and whether the server deleted the older files', async () => {
  const aside = await verify([first.lines]);
  expect([aside.fault, aside.notes.join()]).toEqual([
    null,
    expect.stringContaining('the next file is missing'),
  ]);
  const removed = [{ file: 'old', from: 1, to: first.end.seq, hash: first.end.hash as string }];
  const tidy = written(
    [checkpoint('open'), changeRecord({ what: 'retention', removed }, 'r'), checkpoint('close')],
    {
      from: first.end,
    },
  );
  expect((await verify([tidy.lines])).notes.join()).toContain('after their retention period, as recorded');
  expect((await verify([second.lines])).notes.join()).toContain(
    'No record shows that the server deleted them',
  );
});

it('rejects a checkpoint that names the trusted key but is signed with another key', async () => {
  const forged = written([checkpoint('open'), ...records(3), checkpoint('close')], { key: THIEF });
  for (const trust of [TRUSTED, TRUSTING]) {
    expect((await verify([forged.lines], trust)).fault).toMatchObject({ kind: 'forged_signature', seq: 1 });
  }
});

it('rejects a chain without signatures at its start or after two thousand records', async () => {
  const bare = written(records(3));
  expect((await verify([bare.lines])).fault).toMatchObject({ kind: 'removed', seq: 1 });
  const long = written([checkpoint('open'), ...records(2100)]);
  expect((await verify([long.lines])).fault).toMatchObject({ kind: 'unsigned', seq: 2002 });
});

describe('verifyChain with an expected record', () => {
  const seen = (seq: number, hash: string): Trust => ({ ...TRUSTED, expected: { seq, hash } });

  it('accepts a log that contains the record', async () => {
    const hash = decodeVerified(first.lines[3] as string)?.hash as string;
    expect((await verify([first.lines, second.lines], seen(4, hash))).fault).toBeNull();
  });

  it('rejects a log that ends before the record', async () => {
    const trust = seen(16, second.end.hash as string);
    expect((await verify([first.lines, second.lines.slice(0, 3)], trust)).fault).toMatchObject({
      kind: 'truncated',
      seq: 12,
    });
  });

  it('notes that files which begin after the record do not contain it', async () => {
    const { fault, notes } = await verify([second.lines], seen(4, 'ab'));
    expect([fault, notes.join()]).toEqual([null, expect.stringContaining('of --expect was not checked')]);
  });

  it('rejects a rewritten history', async () => {
    expect((await verify([first.lines, second.lines], seen(4, 'ab'))).fault).toMatchObject({
      kind: 'unexpected',
      seq: 4,
    });
  });
});
