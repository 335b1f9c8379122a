/** Fixtures of stored audit records, one of each kind. */
import { changeRecord, type StoredRecord } from '../../src/audit/record.js';
import { principalOfRecord } from './principals.js';

const { change: _change, ...NOTHING } = changeRecord({ what: 'key', from: '', to: '' }, '');

/** A record without an event. */
export const BLANK: StoredRecord = {
  ...NOTHING,
  v: 1,
  seq: 7,
  time: '2026-11-22T10:00:00.000Z',
  instance: 'gate-1',
  prev: 'aa',
  hash: 'bb',
  id: 'the-id',
};

/** An allowed call. */
export const CALL: StoredRecord = {
  ...BLANK,
  event: 'decision',
  decision: 'allow',
  rule: 'CustomerTools.readCustomer',
  request: {
    id: 'request-1',
    trace_id: 'trace-1',
    method: 'tools/call',
    ip: '192.0.2.1',
    client: 'assistant/1.4',
  },
  tool: 'read_customer',
  arguments: { customer_id: '123' },
  arguments_sha256: 'cc',
  principal: principalOfRecord({
    client_id: 'assistant',
    tenant: 'acme',
    scopes: ['database.read'],
    roles: ['developer'],
    token_id: 'jti',
  }),
  on_behalf_of: 'alice',
  delegation: [
    { sub: 'alice', iss: 'https://issuer', type: 'human' },
    { sub: 'planner', iss: 'https://issuer', type: 'agent' },
  ],
  required: { scopes: ['database.read'], roles: ['admin|owner'], acr: [], max_age: null },
};

export const DENIED: StoredRecord = {
  ...CALL,
  decision: 'deny',
  reason: 'scope_missing',
  missing: { scopes: ['database.read'], roles: [], acr: [], max_age: null },
};

/** The outcome of the call. */
export const ENDED: StoredRecord = {
  ...CALL,
  event: 'outcome',
  decision: null,
  decision_id: 'the-decision',
  outcome: { status: 'tool_error', duration_ms: 12 },
};

/** A request without a token. */
export const UNAUTHENTICATED: StoredRecord = {
  ...BLANK,
  event: 'authentication',
  decision: 'deny',
  reason: 'token_missing',
  request: { id: 'r', trace_id: null, method: null, ip: '192.0.2.1', client: null },
};

export const GAP: StoredRecord = {
  ...BLANK,
  event: 'change',
  change: { what: 'gap', since: 'a', until: 'b', late: 1, lost: {} },
};
