import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalJson } from '../../lib/canonical-json.js';
import { find } from './find.js';
import type { StoredRecord } from '../../audit/record.js';
import { BLANK } from '../../../test/support/audit-records.js';
import { selects, type Selection } from './selection.js';
import { principalOfRecord } from '../../../test/support/principals.js';

const folder = mkdtempSync(join(tmpdir(), 'find-'));
afterAll(() => rmSync(folder, { recursive: true }));

const names = fc.constantFrom('alice', 'bob', 'a"b', 'é', 'agent');
const START = Date.UTC(2026, 10, 22);
const timeAt = (second: number) => new Date(START + second * 1000).toISOString();

const records: fc.Arbitrary<StoredRecord[]> = fc
  .array(
    fc.record({
      sub: names,
      workload: fc.boolean(),
      client: names,
      agent: names,
      tool: fc.option(names),
      decision: fc.constantFrom('allow' as const, 'deny' as const, null),
      trace: fc.option(names),
      anonymous: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .map((all) =>
    all.map((one, at): StoredRecord => ({
      ...BLANK,
      seq: at + 1,
      id: `id-${at}`,
      time: timeAt(at),
      event: one.decision === null ? 'outcome' : 'decision',
      decision: one.decision,
      reason: one.decision === 'deny' ? 'scope_missing' : null,
      request: { id: 'r', trace_id: one.trace, method: 'tools/call', ip: '::1', client: null },
      tool: one.tool,
      principal: one.anonymous
        ? null
        : principalOfRecord({
            sub: one.sub,
            kind: one.workload ? 'workload' : 'human',
            client_id: one.client,
          }),
      on_behalf_of: one.anonymous || one.workload ? null : one.sub,
      delegation: one.anonymous
        ? []
        : [
            { sub: one.sub, iss: 'https://issuer', type: one.workload ? 'client' : 'human' },
            { sub: one.agent, iss: 'https://issuer', type: 'agent' },
          ],
      outcome: one.decision === null ? { status: 'ok', duration_ms: 1 } : null,
      decision_id: one.decision === null ? 'id-0' : null,
    })),
  );

const conditions = {
  person: names,
  agent: names,
  client: names,
  tool: names,
  decision: fc.constantFrom('allow' as const, 'deny' as const),
  reason: fc.constantFrom('scope_missing', 'other'),
  event: fc.constantFrom('decision', 'outcome'),
  status: fc.constantFrom('ok', 'failed'),
  trace: names,
  id: fc.constantFrom('id-0', 'id-1'),
  since: fc.nat(12).map(timeAt),
  until: fc.nat(12).map(timeAt),
};
/** Few conditions at once: many would select no record. */
const selections: fc.Arbitrary<Selection> = fc
  .tuple(fc.record(conditions), fc.subarray(Object.keys(conditions) as (keyof Selection)[], { maxLength: 2 }))
  .map(([all, chosen]) => Object.fromEntries(chosen.map((name) => [name, all[name]])) as Selection);

async function found(files: readonly string[], selection: Selection): Promise<StoredRecord[]> {
  const all: StoredRecord[] = [];
  for await (const { record } of find(files, selection)) all.push(record);
  return all;
}

function write(name: string, all: readonly StoredRecord[]): string {
  const path = join(folder, name);
  writeFileSync(path, all.map((record) => `${canonicalJson(record)}\n`).join(''));
  return path;
}

it('finds exactly the selected records with every reading method', async () => {
  let hits = 0;
  await fc.assert(
    fc.asyncProperty(records, selections, fc.nat(12), async (all, selection, cut) => {
      const files = [write('one', all.slice(0, cut)), write('two', all.slice(cut))];
      const expected = all.filter((record) => selects(selection, record));
      hits += expected.length;
      expect(await found(files, selection)).toEqual(expected);
    }),
    { numRuns: 400 },
  );
  expect(hits).toBeGreaterThan(200);
});

it('finds a time in a large file without reading the whole file', async () => {
  const [one] = fc.sample(
    records.filter((all) => all.length > 0),
    1,
  )[0] as StoredRecord[];
  const count = 20_000;
  const many = Array.from({ length: count }, (_, at) => ({
    ...(one as StoredRecord),
    seq: at + 1,
    time: timeAt(at),
  }));
  const file = write('large', many);
  for (const second of [0, 1, 9_999, 19_998, 19_999]) {
    const all = await found([file], { since: timeAt(second) });
    expect([all.length, all[0]?.time]).toEqual([count - second, timeAt(second)]);
  }
  expect(await found([file], { since: timeAt(count) })).toEqual([]);
  const between = await found([file], { since: timeAt(500), until: timeAt(502) });
  expect(between.map(({ time }) => time)).toEqual([timeAt(500), timeAt(501)]);
});
