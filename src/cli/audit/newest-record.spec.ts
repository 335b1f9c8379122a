import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { changeRecord, type StoredRecord } from '../../audit/record.js';
import { follow } from './follow.js';
import { inOrder, newest } from './newest-record.js';
import { lookUp } from './on-record.js';

const folder = mkdtempSync(join(tmpdir(), 'newest-'));
afterAll(() => rmSync(folder, { recursive: true }));

const { change: _change, ...NOTHING } = changeRecord({ what: 'key', from: '', to: '' }, '');
const record = (seq: number, instance = 'gate-1', more: Partial<StoredRecord> = {}): StoredRecord => ({
  ...NOTHING,
  v: 1,
  seq,
  id: `${instance}-${seq}`,
  time: new Date(Date.UTC(2026, 10, 22) + seq * 1000).toISOString(),
  instance,
  prev: null,
  hash: '',
  ...more,
});
const lines = (all: readonly StoredRecord[]) => all.map((one) => `${JSON.stringify(one)}\n`).join('');
const write = (name: string, all: readonly StoredRecord[]) => {
  const path = join(folder, name);
  writeFileSync(path, lines(all));
  return path;
};

describe('NewestRecord', () => {
  it('returns the newest records of several chains and files in order of time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(2), { maxLength: 20 }),
        fc.nat(20),
        fc.integer({ min: 1, max: 25 }),
        async (owners, cut, most) => {
          const all = owners.map((owner, at) => record(at + 1, `gate-${owner}`));
          const chains = [0, 1, 2].map((owner) => ({
            instance: `gate-${owner}`,
            files: [
              write(
                `${owner}-a`,
                all.slice(0, cut).filter(({ instance }) => instance === `gate-${owner}`),
              ),
              write(
                `${owner}-b`,
                all.slice(cut).filter(({ instance }) => instance === `gate-${owner}`),
              ),
            ],
          }));
          const { records, hasMore } = await newest(chains, {}, most);
          expect(records.map((one) => one.record.seq)).toEqual(all.slice(-most).map(({ seq }) => seq));
          expect(hasMore).toBe(all.length > most);
          const seen: number[] = [];
          for await (const one of inOrder(chains, {})) seen.push(one.record.seq);
          expect(seen).toEqual(all.map(({ seq }) => seq));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('follow', () => {
  it('returns each record once across one or several rotations and half-written lines', async () => {
    const file = write('audit.jsonl', [record(1), record(2)]);
    const aside = (first: number) =>
      renameSync(file, join(folder, `audit.20261122.${String(first).padStart(12, '0')}.jsonl`));
    const whole = lines([record(4)]);
    // Events while the reader waits.
    const steps: (() => void)[] = [
      () => appendFileSync(file, lines([record(3)]) + whole.slice(0, 20)),
      () => appendFileSync(file, whole.slice(20)),
      () => aside(1),
      () => writeFileSync(file, lines([record(5)])),
      () => {
        appendFileSync(file, lines([record(6)]));
        aside(5);
        writeFileSync(file, lines([record(7), record(8)]));
        aside(7);
        writeFileSync(file, lines([record(9)]));
      },
      () => appendFileSync(file, lines([record(10)])),
    ];
    const warnings: string[] = [];
    const seen: number[] = [];
    let heldAtFirst: number | undefined;
    const options = {
      pause: async () => steps.shift()?.(),
      warn: (text: string) => void warnings.push(text),
      onEnd: async () => void (heldAtFirst = seen.length),
    };
    for await (const found of follow(file, options)) {
      seen.push(found.record.seq);
      if (found.record.seq === 10) break;
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(heldAtFirst).toBe(2);
    expect(warnings).toEqual([]);
  });

  it('reports a truncated file and reads it again', async () => {
    const file = write('cut.jsonl', [record(1), record(2)]);
    const steps = [() => writeFileSync(file, lines([record(3)]))];
    const warnings: string[] = [];
    const seen: number[] = [];
    const options = {
      pause: async () => steps.shift()?.(),
      warn: (text: string) => void warnings.push(text),
    };
    for await (const found of follow(file, options)) {
      seen.push(found.record.seq);
      if (found.record.seq === 3) break;
    }
    expect(seen).toEqual([1, 2, 3]);
    expect(warnings).toEqual([expect.stringContaining('was truncated')]);
  });
});

describe('lookUp', () => {
  const principal = (sub: string, iss = 'https://a') =>
    ({ iss, sub, client_id: 'agent', token_id: `t-${sub}` }) as StoredRecord['principal'];
  const chains = () => [
    {
      instance: 'gate-1',
      files: [
        write('people', [
          record(1, 'gate-1', {
            principal: principal('alice'),
            on_behalf_of: 'alice',
            tool: 'read_customer',
          }),
          record(2, 'gate-1', { principal: principal('bob', 'https://b'), on_behalf_of: 'bob' }),
          record(3, 'gate-1', {
            principal: principal('carol'),
            delegation: [{ sub: 'planner', iss: 'https://a', type: 'agent' }],
          }),
        ]),
      ],
    },
  ];

  it.each([
    ['person', 'alice', ['https://a'], []],
    ['person', 'alcie', [], ['alice']],
    ['subject', 'planner', ['https://a'], []],
    ['agent', 'planer', [], ['planner']],
    ['client', 'agnet', [], ['agent']],
    ['tool', 'read_custmer', [], ['read_customer']],
    ['token', 't-bob', ['https://b'], []],
    ['person', 'planner', [], []],
    ['person', 'zzz', [], []],
  ] as const)('%s %s: of %j, near %j', async (kind, name, issuers, near) => {
    const found = await lookUp(chains(), kind, name);
    expect([[...found.issuers], found.near]).toEqual([issuers, near]);
  });

  it('names the other issuer under which the name is in the audit log', async () => {
    const found = await lookUp(chains(), 'subject', 'bob', { issuer: 'https://a' });
    expect([[...found.issuers], found.near]).toEqual([['https://b'], []]);
  });
});
