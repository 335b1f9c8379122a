import type { RequestContext } from '../core/request-context.js';
import { canonicalJson } from '../lib/canonical-json.js';
import { encodeWithHash, decodeVerified } from './chain.js';
import { appendToChain } from './append-to-chain.js';
import {
  changeRecord,
  decisionRecord,
  listRecord,
  outcomeRecord,
  refusalRecord,
  type AuditRecord,
} from './record.js';
import { RecordFragmentCache } from './record-fragment-cache.js';
import { principal } from '../../test/support/principals.js';

const PRINCIPAL = principal({
  subject: 'zoë "z"',
  scopes: ['b', 'a'],
  roles: ['admin'],
  authenticatedAt: 7,
  expiresAt: 9_000_000_000,
  delegationOmitted: 3,
});
const CALLED: RequestContext = {
  requestId: 'request',
  decisionId: 'decision',
  trace: undefined,
  ip: '::1',
  client: null,
  parsed: { ok: true, id: 1, message: { id: 1, method: 'tools/call', params: {}, era: 'modern', body: {} } },
  audited: false,
  principal: PRINCIPAL,
  operation: {
    kind: 'call',
    target: { kind: 'tool', name: 'write', recordedArguments: ['z', 'a'] },
    arguments: { z: 1, a: { y: 2, b: 1 } },
  },
  decision: {
    effect: 'allow',
    rule: 'Tools.write',
    required: { scopes: ['a'], roles: [['admin', 'owner']], assurance: { acr: ['gold'], maxAgeSeconds: 5 } },
    policy: 'digest',
    shadow: { reason: 'role_missing', rule: 'policy.yaml: shadow' },
  },
};
const LISTED: RequestContext = {
  ...CALLED,
  operation: { kind: 'list', of: 'tools' },
  listing: { shown: [], hidden: 2, shadowHiddenCount: 1 },
};
const parts = new RecordFragmentCache();
const decision = decisionRecord(CALLED, parts);
const RECORDS: readonly (readonly [string, AuditRecord])[] = [
  ['a decision', decision],
  ['the same again', decisionRecord(CALLED, parts)],
  ['an outcome', outcomeRecord(decision, { status: 'ok', durationMs: 1 }, 'outcome')],
  ['a list', listRecord(LISTED, parts)],
  ['a refusal', refusalRecord({ ...CALLED, decision: undefined as never }, 'rate_limited', parts)],
  ['a change', changeRecord({ what: 'key', from: 'a', to: 'b' }, 'change')],
  ['what is not there', { ...decision, list: undefined as never }],
];
const CHAIN = { instance: 'gate', key: {} as never, time: '2026-11-22T10:00:00.000Z' };

it.each(RECORDS)('writes %s as canonical JSON that passes verification', (_name, record) => {
  const { text, end } = appendToChain(
    [record],
    { seq: 6, hash: 'before' },
    { ...CHAIN, textOf: (part) => parts.textOf(part) },
  );
  const { instance, time } = CHAIN;
  const whole = {
    v: 1,
    seq: 7,
    time,
    instance,
    prev: 'before',
    ...(JSON.parse(JSON.stringify(record)) as object),
  };
  expect(text).toBe(`${encodeWithHash(whole).line}\n`);
  expect(text.trimEnd()).toBe(canonicalJson(decodeVerified(text.trimEnd())));
  expect(end.seq).toBe(7);
});

it('writes members that are not part of the record type', () => {
  const strange = { ...decision, zebra: 1 } as AuditRecord;
  const { text } = appendToChain([strange], { seq: 0, hash: null }, CHAIN);
  expect(decodeVerified(text.trimEnd())).toMatchObject({ zebra: 1, id: 'decision' });
});

it('writes a record that lacks a member and has an unknown one', () => {
  const { tool: _tool, ...rest } = decision;
  const strange = { ...rest, zebra: 1 } as unknown as AuditRecord;
  const { text } = appendToChain([strange], { seq: 0, hash: null }, CHAIN);
  expect(decodeVerified(text.trimEnd())).toMatchObject({ zebra: 1, id: 'decision' });
  expect(decodeVerified(text.trimEnd())).not.toHaveProperty('tool');
});
