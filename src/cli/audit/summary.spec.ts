import { reportPage } from './report-page.js';
import { renderSummary } from './render.js';
import type { StoredRecord } from '../../audit/record.js';
import { BLANK } from '../../../test/support/audit-records.js';
import { Summarizer, type Summary } from './summary.js';
import { drawTree } from './delegation-tree.js';
import { principalOfRecord } from '../../../test/support/principals.js';

/** Requirements or missing requirements. */
const asks = (scopes: string[], roles: string[] = []) => ({ scopes, roles, acr: [], max_age: null });

let seq = 0;
function record(
  more: Partial<StoredRecord> & { person?: string; scopes?: string[]; roles?: string[] },
): StoredRecord {
  const { person, scopes = [], roles = [], ...rest } = more;
  seq += 1;
  return {
    ...BLANK,
    seq,
    id: `id-${seq}`,
    time: `2026-11-22T10:00:${String(seq % 60).padStart(2, '0')}.000Z`,
    event: 'decision',
    decision: 'allow',
    reason: null,
    rule: 'Tools.read',
    request: { id: 'r', trace_id: null, method: 'tools/call', ip: '::1', client: null },
    tool: 'read',
    principal: person ? principalOfRecord({ sub: person, scopes, roles }) : null,
    on_behalf_of: person ?? null,
    delegation: person
      ? [
          { sub: person, iss: 'https://issuer', type: 'human' },
          { sub: 'agent', iss: 'https://issuer', type: 'client' },
        ]
      : [],
    ...rest,
  };
}

it('counts by subject and shows the display name of the token', () => {
  const named = (display_name: string | undefined) => {
    const one = record({ person: '17', scopes: ['a'] });
    return {
      ...one,
      principal: one.principal && { ...one.principal, ...(display_name && { display_name }) },
    };
  };
  const summary = summaryOf([named('alice'), named('boss'), named(undefined)]);
  expect(summary.uses.map(({ person, allowed }) => [person, allowed])).toEqual([['17 <alice>', 3]]);
  expect(summary.unusedGrants).toEqual([{ person: '17 <alice>', scopes: ['a'], roles: [] }]);
});

function summaryOf(records: readonly StoredRecord[]): Summary {
  const summarizer = new Summarizer();
  records.forEach((one) => summarizer.add(one));
  return summarizer.summary();
}

const HOSTILE = '<script>\u202e\u001b[31m';
const RECORDS = [
  record({
    event: 'change',
    decision: null,
    request: null,
    tool: null,
    change: {
      what: 'start',
      version: '1',
      host: 'gate',
      pid: 1,
      configuration: {},
      changed: ['allow_list'],
    },
  }),
  record({
    person: 'alice',
    scopes: ['db.read', 'db.write'],
    roles: ['dev', 'ops'],
    required: asks(['db.read'], ['dev|admin']),
  }),
  record({
    person: 'alice',
    scopes: ['db.read', 'db.write'],
    event: 'outcome',
    decision: null,
    decision_id: 'id-2',
    outcome: { status: 'tool_error', duration_ms: 3 },
  }),
  record({
    person: 'bob',
    decision: 'deny',
    reason: 'scope_missing',
    tool: 'write',
    scopes: ['db.read'],
    missing: asks(['db.write'], []),
  }),
  record({
    person: 'bob',
    decision: 'deny',
    reason: 'scope_missing',
    tool: 'write',
    scopes: ['db.read'],
    missing: asks(['db.write'], []),
  }),
  record({ event: 'authentication', decision: 'deny', reason: 'token_missing', tool: null }),
  record({ person: 'alice', event: 'list', tool: null, list: { shown: 1, hidden: 2 } }),
  record({ person: HOSTILE, decision: 'deny', reason: 'tool_unknown', tool: HOSTILE }),
];

it('counts use by user and tool, denials by reason, and unused grants', () => {
  const summary = summaryOf(RECORDS);
  expect(summary).toMatchObject({
    records: 8,
    counts: { allowed: 1, denied: 4, lists: 1, unauthenticated: 1 },
    outcomes: { tool_error: 1 },
    isCut: false,
  });
  expect(summary.uses.slice(0, 2)).toEqual([
    expect.objectContaining({ person: 'bob', tool: 'write', allowed: 0, denied: 2, failed: 0 }),
    expect.objectContaining({ person: 'alice', tool: 'read', allowed: 1, denied: 0, failed: 1 }),
  ]);
  expect(summary.refusals[0]).toMatchObject({
    reason: 'scope_missing',
    tool: 'write',
    person: 'bob',
    missing: 'db.write',
    count: 2,
  });
  expect(summary.unusedGrants).toEqual([
    { person: 'alice', scopes: ['db.write'], roles: ['ops'] },
    { person: 'bob', scopes: ['db.read'], roles: [] },
  ]);
  expect(summary.changes).toEqual([
    expect.objectContaining({ what: 'start', message: 'start, changed: allow_list' }),
  ]);
});

it('escapes control characters for a terminal and markup for a page', () => {
  const summary = summaryOf(RECORDS);
  const page = reportPage(summary, HOSTILE);
  const tree = drawTree([RECORDS.at(-1) as StoredRecord]);
  for (const text of [renderSummary(summary), page, tree]) {
    expect(text.includes('\u001b') || text.includes('\u202e')).toBe(false);
    expect(text).toContain('\\u{202e}');
  }
  expect(page).not.toContain('<script');
  expect(page.match(/https?:|src=|href=/g)).toBeNull();
});

it('draws the delegation chain', () => {
  const decision = record({
    person: 'alice',
    id: 'the-call',
    delegation: [
      { sub: 'alice', iss: 'https://issuer', type: 'human' },
      { sub: 'planner', iss: 'https://issuer', type: 'agent' },
      { sub: 'worker', iss: 'https://other', type: 'client' },
    ],
    required: asks(['db.read'], []),
  });
  const end = record({
    person: 'alice',
    event: 'outcome',
    decision: null,
    decision_id: 'the-call',
    outcome: { status: 'ok', duration_ms: 4 },
  });
  expect(drawTree([decision, end]).split('\n')).toEqual([
    'alice (human) of https://issuer',
    '└─ planner (agent)',
    '   └─ worker (client) of https://other',
    '      └─ read, allowed (by Tools.read; which requires scope db.read)',
    `         └─ record ${decision.seq}, the-call, ${decision.time}; ended ok after 4 ms at ${end.time}`,
  ]);
  expect(
    drawTree([record({ event: 'authentication', decision: 'deny', reason: 'token_missing' })]),
  ).toContain('no principal');
  expect(drawTree([])).toBe('');
});

it('counts unknown tool names together, because a caller can invent any number of them', () => {
  const invented = Array.from({ length: 50 }, (_, at) =>
    record({ person: 'mallory', tool: `tool-${at}`, decision: 'deny', reason: 'tool_unknown' }),
  );
  const { uses, refusals } = summaryOf(invented);
  expect(uses).toMatchObject([{ tool: '(unknown names)', denied: 50 }]);
  expect(refusals).toMatchObject([{ tool: '(unknown names)', count: 50 }]);
});

it('limits the length of names on the screen and the number of rows on the page', () => {
  const long = summaryOf([record({ person: 'x'.repeat(5000) })]);
  expect(
    Math.max(
      ...renderSummary(long)
        .split('\n')
        .map((line) => line.length),
    ),
  ).toBeLessThan(250);
  const many = summaryOf(Array.from({ length: 1500 }, (_, at) => record({ person: `person-${at}` })));
  const html = reportPage(many, 'Report');
  expect(html).toContain('<p>and 500 more</p>');
  expect(html.match(/<tr>/g)?.length).toBeLessThan(2100);
});
