import { malformedRequest } from '../core/app-error.js';
import type { RequestContext } from '../core/request-context.js';
import { digestOf } from '../lib/canonical-json.js';
import {
  decisionRecord,
  interruptedRecord,
  listRecord,
  outcomeRecord,
  refusalRecord,
  type AuditRecord,
} from './record.js';
import { principal } from '../../test/support/principals.js';

const PRINCIPAL = principal({
  tenant: 'acme',
  scopes: ['a', 'b'],
  roles: ['staff'],
  acr: ['gold'],
  authenticatedAt: 1_800_000_000,
  tokenId: 'jti-1',
  expiresAt: 1,
  delegation: [
    { sub: 'alice', iss: 'https://issuer', type: 'human' },
    { sub: 'agent', iss: 'https://issuer', type: 'client' },
  ],
});
const REQUIRED = { scopes: ['a'], roles: [['staff', 'partner'], ['admin']], assurance: null };

function message(method: string): RequestContext['parsed'] {
  return { ok: true, id: 7, message: { id: 7, method, params: {}, era: 'modern', body: {} } };
}

const ARRIVED: RequestContext = {
  requestId: 'request-1',
  decisionId: 'decision-1',
  trace: { id: 'trace-1', traceparent: '00-trace-1' },
  ip: '192.0.2.1',
  client: 'client/1.0',
  parsed: message('tools/call'),
  audited: false,
};
const CALLED: RequestContext = {
  ...ARRIVED,
  principal: PRINCIPAL,
  operation: { kind: 'call', target: { kind: 'tool', name: 'write' }, arguments: { b: 1, a: 2 } },
  decision: { effect: 'allow', rule: 'Tools.write', required: REQUIRED },
};

const REQUEST = {
  id: 'request-1',
  trace_id: 'trace-1',
  method: 'tools/call',
  ip: '192.0.2.1',
  client: 'client/1.0',
};
const NOTHING = { scopes: [], roles: [], acr: [], max_age: null };
const ALLOWED: AuditRecord = {
  id: 'decision-1',
  event: 'decision',
  decision: 'allow',
  reason: null,
  rule: 'Tools.write',
  request: REQUEST,
  tool: 'write',
  arguments_sha256: digestOf({ a: 2, b: 1 }),
  principal: {
    iss: 'https://issuer',
    sub: 'alice',
    kind: 'human',
    client_id: 'agent',
    tenant: 'acme',
    scopes: ['a', 'b'],
    roles: ['staff'],
    acr: ['gold'],
    auth_time: 1_800_000_000,
    token_id: 'jti-1',
  },
  on_behalf_of: 'alice',
  delegation: [
    { sub: 'alice', iss: 'https://issuer', type: 'human' },
    { sub: 'agent', iss: 'https://issuer', type: 'client' },
  ],
  required: { scopes: ['a'], roles: ['staff|partner', 'admin'], acr: [], max_age: null },
  missing: NOTHING,
  outcome: null,
  decision_id: null,
};

it.each<[string, AuditRecord, AuditRecord]>([
  ['an allowed call', decisionRecord(CALLED), ALLOWED],
  [
    'a list',
    listRecord({
      ...ARRIVED,
      parsed: message('tools/list'),
      principal: PRINCIPAL,
      operation: { kind: 'list', of: 'tools' },
      listing: { shown: [{ kind: 'tool', name: 'write' }], hidden: 2 },
    }),
    {
      ...ALLOWED,
      event: 'list',
      rule: null,
      request: { ...REQUEST, method: 'tools/list' },
      tool: null,
      arguments_sha256: null,
      required: NOTHING,
      list: { shown: 1, hidden: 2 },
    },
  ],
  [
    'a denied call',
    refusalRecord(
      {
        ...CALLED,
        decision: {
          effect: 'deny',
          reason: 'role_missing',
          rule: 'Tools.write',
          required: REQUIRED,
          missing: { scopes: [], roles: [['admin']], assurance: null },
        },
      },
      'role_missing',
    ),
    {
      ...ALLOWED,
      decision: 'deny',
      reason: 'role_missing',
      missing: { ...NOTHING, roles: ['admin'] },
    },
  ],
  [
    'a call denied for its assurance',
    refusalRecord(
      {
        ...CALLED,
        decision: {
          effect: 'deny',
          reason: 'assurance_insufficient',
          rule: 'Tools.write',
          required: { scopes: ['a'], roles: [], assurance: { acr: ['gold', 'iron'], maxAgeSeconds: 300 } },
          missing: { scopes: [], roles: [], assurance: { acr: [], maxAgeSeconds: 300 } },
        },
      },
      'assurance_insufficient',
    ),
    {
      ...ALLOWED,
      decision: 'deny',
      reason: 'assurance_insufficient',
      required: { scopes: ['a'], roles: [], acr: ['gold', 'iron'], max_age: 300 },
      missing: { ...NOTHING, max_age: 300 },
    },
  ],
  [
    'a refusal before anyone was known',
    refusalRecord(
      { ...ARRIVED, parsed: { ok: false, id: null, fault: malformedRequest('odd') } },
      'token_missing',
    ),
    {
      ...ALLOWED,
      event: 'authentication',
      decision: 'deny',
      reason: 'token_missing',
      rule: null,
      request: { ...REQUEST, method: null },
      tool: null,
      arguments_sha256: null,
      principal: null,
      on_behalf_of: null,
      delegation: [],
      required: NOTHING,
    },
  ],
  [
    'an outcome, under an id of its own',
    outcomeRecord(decisionRecord(CALLED), { status: 'tool_error', durationMs: 12 }, 'outcome-1'),
    {
      ...ALLOWED,
      id: 'outcome-1',
      event: 'outcome',
      decision: null,
      outcome: { status: 'tool_error', duration_ms: 12 },
      decision_id: 'decision-1',
    },
  ],
])('builds the record of %s', (_name, record, expected) => {
  expect(record).toStrictEqual(expected);
});

it('sets on_behalf_of to null for a workload', () => {
  const { on_behalf_of, principal } = decisionRecord({
    ...CALLED,
    principal: { ...PRINCIPAL, kind: 'workload' },
  });
  expect(on_behalf_of).toBeNull();
  expect(principal?.sub).toBe('alice');
});

it.each([
  ['tool', 'write'],
  ['prompt', 'prompt:write'],
  ['resource', 'resource:write'],
] as const)('distinguishes a %s from other targets of the same name', (kind, label) => {
  const called = { ...CALLED, operation: { kind: 'call', target: { kind, name: 'write' }, arguments: {} } };
  expect(decisionRecord(called as RequestContext).tool).toBe(label);
});

it('digests omitted arguments as an empty object', () => {
  const without = { kind: 'call', target: { kind: 'tool', name: 'write' }, arguments: undefined } as const;
  expect(decisionRecord({ ...CALLED, operation: without }).arguments_sha256).toBe(digestOf({}));
});

it('records only declared arguments that were sent, truncated', () => {
  const called = (args: unknown) =>
    decisionRecord({
      ...CALLED,
      operation: {
        kind: 'call',
        target: { kind: 'tool', name: 'write', recordedArguments: ['id', 'note', 'more'] },
        arguments: args,
      },
    }).arguments;
  expect(called({ id: '7', note: 'n'.repeat(300), secret: 'x' })).toEqual({
    id: '7',
    note: `${'n'.repeat(256)}…`,
  });
  expect(called({ id: 7, note: null, more: { b: 1, a: ['n'.repeat(300)] } })).toEqual({
    id: 7,
    note: null,
    more: `{"a":["${'n'.repeat(249)}…`,
  });
  expect(called({})).toEqual({});
  expect(called(undefined)).toBeUndefined();
  expect(decisionRecord(CALLED)).not.toHaveProperty('arguments');
});

it('records the number of omitted actors', () => {
  expect(decisionRecord(CALLED)).not.toHaveProperty('delegation_omitted');
  const record = decisionRecord({ ...CALLED, principal: { ...PRINCIPAL, delegationOmitted: 3 } });
  expect(record.delegation_omitted).toBe(3);
});

it('builds the outcome of an interrupted call from its decision', () => {
  const decision = {
    v: 1,
    seq: 4,
    time: 't',
    instance: 'i',
    prev: 'p',
    hash: 'h',
    ...decisionRecord(CALLED),
  };
  expect(interruptedRecord(decision, 'new')).toEqual({
    ...ALLOWED,
    id: 'new',
    event: 'outcome',
    decision: null,
    outcome: { status: 'interrupted', duration_ms: null },
    decision_id: 'decision-1',
  });
});

it('truncates text from the caller and records undeclared arguments only as a digest', () => {
  const long = 'n'.repeat(100_000);
  const record = refusalRecord(
    {
      ...CALLED,
      parsed: message(long),
      operation: { kind: 'call', target: { kind: 'tool', name: long }, arguments: { secret: long } },
    },
    'tool_unknown',
  );
  expect(record.tool).toBe(`${'n'.repeat(256)}…`);
  expect(record.request?.method).toBe(`${'n'.repeat(256)}…`);
  expect(JSON.stringify(record).length).toBeLessThan(2000);
  expect(decisionRecord({ ...CALLED, parsed: message('n'.repeat(256)) }).request?.method).toHaveLength(256);
});

it.each([
  ['half a character', 'x\ud800y', 'x\ufffdy'],
  ['half a character at the cut', `${'x'.repeat(255)}😀😀`, `${'x'.repeat(255)}\ufffd…`],
  ['a token', 'read eyJhbGciOiJFUzI1NiIsInR5cCI6.eyJzdWIi.abc', 'read [token]'],
])('removes %s from a recorded name', (_, name, expected) => {
  const operation = { kind: 'call' as const, target: { kind: 'tool' as const, name }, arguments: {} };
  const record = refusalRecord(
    { ...CALLED, client: name, operation, decision: undefined as never },
    'tool_unknown',
  );
  expect([record.tool, record.request?.client]).toEqual([expected, expected]);
});
