import { CALL, DENIED, ENDED, GAP, UNAUTHENTICATED } from '../../../test/support/audit-records.js';
import { toOcsf } from './ocsf.js';

describe('toOcsf', () => {
  // Required attributes of the class API Activity (schema.ocsf.io, 1.3.0).
  it.each([CALL, DENIED, ENDED, UNAUTHENTICATED, GAP])(
    'has the attributes that the class requires: $event $decision',
    (record) => {
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
    },
  );

  it('maps caller, target, decision and outcome', () => {
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
    expect(toOcsf(UNAUTHENTICATED)).toMatchObject({ actor: { user: { type_id: 0 } }, action: 'Denied' });
    expect(toOcsf(GAP)).toMatchObject({ severity_id: 4, src_endpoint: { hostname: 'gate-1' } });
  });
});
