import fc from 'fast-check';
import { changeRecord, type StoredRecord } from '../record.js';
import { toCef } from './cef.js';
import { toOcsf } from './ocsf.js';

const { change: _change, ...NOTHING } = changeRecord({ what: 'key', from: '', to: '' }, '');
const BLANK: StoredRecord = {
  ...NOTHING,
  v: 1,
  seq: 7,
  time: '2026-11-22T10:00:00.000Z',
  instance: 'gate-1',
  prev: 'aa',
  hash: 'bb',
  id: 'the-id',
};
const CALL: StoredRecord = {
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
  principal: {
    iss: 'https://issuer',
    sub: 'alice',
    kind: 'human',
    client_id: 'assistant',
    tenant: 'acme',
    scopes: ['database.read'],
    roles: ['developer'],
    acr: [],
    auth_time: null,
    token_id: 'jti',
  },
  on_behalf_of: 'alice',
  delegation: [
    { sub: 'alice', iss: 'https://issuer', type: 'human' },
    { sub: 'planner', iss: 'https://issuer', type: 'agent' },
  ],
  required: { scopes: ['database.read'], roles: ['admin|owner'], acr: [], max_age: null },
};
const DENIED: StoredRecord = {
  ...CALL,
  decision: 'deny',
  reason: 'scope_missing',
  missing: { scopes: ['database.read'], roles: [], acr: [], max_age: null },
};
const ENDED: StoredRecord = {
  ...CALL,
  event: 'outcome',
  decision: null,
  decision_id: 'the-decision',
  outcome: { status: 'tool_error', duration_ms: 12 },
};
const STRANGER: StoredRecord = {
  ...BLANK,
  event: 'authentication',
  decision: 'deny',
  reason: 'token_missing',
  request: { id: 'r', trace_id: null, method: null, ip: '192.0.2.1', client: null },
};
const GAP: StoredRecord = {
  ...BLANK,
  event: 'change',
  change: { what: 'gap', since: 'a', until: 'b', late: 1, lost: {} },
};

describe('OCSF', () => {
  // What the class API Activity requires (schema.ocsf.io, 1.3.0).
  it.each([CALL, DENIED, ENDED, STRANGER, GAP])('has what the class requires: $event $decision', (record) => {
    expect(toOcsf(record)).toMatchObject({
      class_uid: 6003,
      category_uid: 6,
      activity_id: 99,
      type_uid: 600_399,
      severity_id: expect.any(Number) as number,
      time: Date.parse(record.time),
      actor: { user: expect.any(Object) as object },
      api: { operation: expect.any(String) as string },
      src_endpoint: expect.any(Object) as object,
      metadata: {
        version: '1.3.0',
        uid: 'the-id',
        sequence: 7,
        product: { name: 'identity-aware-mcp-server' },
      },
    });
  });

  it('says who, what, and what was decided', () => {
    expect(toOcsf(CALL)).toMatchObject({
      status: 'Success',
      action: 'Allowed',
      disposition: 'Allowed',
      severity_id: 1,
      actor: {
        user: {
          uid: 'alice',
          type_id: 1,
          domain: 'https://issuer',
          groups: [{ name: 'developer' }],
          org: { uid: 'acme' },
        },
        app_uid: 'assistant',
        session: { uid: 'jti' },
        authorizations: [{ decision: 'allow', policy: { name: 'CustomerTools.readCustomer' } }],
      },
      api: { operation: 'tools/call', request: { uid: 'request-1' } },
      src_endpoint: { ip: '192.0.2.1', svc_name: 'assistant/1.4' },
      resources: [{ name: 'read_customer' }],
      trace: { uid: 'trace-1' },
      metadata: { correlation_uid: 'the-id' },
      unmapped: { on_behalf_of: 'alice', delegation: CALL.delegation, arguments: { customer_id: '123' } },
    });
    expect(toOcsf(DENIED)).toMatchObject({
      status_code: 'scope_missing',
      action: 'Denied',
      disposition: 'Blocked',
      severity_id: 2,
    });
    expect(toOcsf(ENDED)).toMatchObject({
      status: 'Failure',
      status_code: 'tool_error',
      duration: 12,
      metadata: { correlation_uid: 'the-decision' },
    });
    expect(toOcsf(STRANGER)).toMatchObject({ actor: { user: { type_id: 0 } }, action: 'Denied' });
    expect(toOcsf(GAP)).toMatchObject({ severity_id: 4, src_endpoint: { hostname: 'gate-1' } });
  });
});

/** As a collector reads it (CEF, revision 27). */
function parseCef(line: string): { header: string[]; extension: Record<string, string> } {
  const parts = line.split(/(?<!\\)(?:\\\\)*\|/);
  const header = parts.slice(0, 7).map((part) => part.replace(/\\([\\|])/g, '$1'));
  const rest = parts.slice(7).join('|');
  const extension = Object.fromEntries(
    [...rest.matchAll(/(?:^| )(\w+)=((?:\\.|[^\\=])*?)(?= \w+=|$)/g)].map(([, name = '', value = '']) => [
      name,
      value.replace(/\\([\\=])/g, '$1'),
    ]),
  );
  return { header, extension };
}

describe('CEF', () => {
  it('says who, what, and what was decided', () => {
    const { header, extension } = parseCef(toCef(DENIED));
    expect(header.slice(0, 2)).toEqual(['CEF:0', 'identity-aware-mcp-server']);
    expect(header.slice(4)).toEqual(['scope_missing', 'decision read_customer', '4']);
    expect(extension).toMatchObject({
      rt: String(Date.parse(DENIED.time)),
      act: 'deny',
      reason: 'scope_missing',
      src: '192.0.2.1',
      suser: 'alice',
      sourceServiceName: 'assistant',
      destinationServiceName: 'read_customer',
      cs1Label: 'delegation',
      cs1: 'alice (human) > planner (agent)',
      cs3: 'database.read admin|owner',
      cs4: 'database.read',
      externalId: 'the-id',
      cn1: '7',
    });
  });

  it('leaves out labels of what is not there', () => {
    expect(toCef(STRANGER)).not.toMatch(/cs1Label|cs2Label|cs4Label|suser|cn2/);
  });

  it('lets nothing that a caller chose end a line or a field', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), (tool, person) => {
        const line = toCef({ ...CALL, tool: `${tool}|a=b\\\n`, on_behalf_of: `${person}=x\r\n` });
        // eslint-disable-next-line no-control-regex
        expect(line).not.toMatch(/[\n\r\u2028\u2029\u0000]/);
        const { header, extension } = parseCef(line);
        expect(header).toHaveLength(7);
        expect(extension.cn1).toBe('7');
      }),
      { numRuns: 300 },
    );
  });
});
