/** Converts a record to an OCSF event: API Activity (class 6003), version 1.3. */
import type { JsonObject } from '../../lib/json.js';
import type { StoredRecord } from '../record.js';
import { PRODUCT_NAME, VERSION } from '../../lib/version.js';
import { severityOf } from './severity.js';

const CLASS = 6003;
const CATEGORY = 6;
const OTHER = 99;
const SEVERITY = { informational: 1, low: 2, medium: 3, high: 4 } as const;
const STATUS = { success: 1, failure: 2, other: OTHER } as const;
const ACTION = { allowed: 1, denied: 2, observed: 3 } as const;

export function toOcsf(record: StoredRecord): JsonObject {
  const { request, principal, tool, event, id, decision_id: decisionId, seq, time, instance } = record;
  const operation = request?.method ?? `${event}${record.change ? `/${record.change.what}` : ''}`;
  return {
    class_uid: CLASS,
    class_name: 'API Activity',
    category_uid: CATEGORY,
    category_name: 'Application Activity',
    // "Other": the gateway does not know whether a tool creates, reads, updates or deletes.
    activity_id: OTHER,
    activity_name: event,
    type_uid: CLASS * 100 + OTHER,
    time: Date.parse(time),
    severity_id: SEVERITY[severityOf(record)],
    ...statusOf(record),
    ...actionOf(record),
    metadata: {
      version: '1.3.0',
      profiles: ['security_control'],
      product: {
        name: PRODUCT_NAME,
        vendor_name: PRODUCT_NAME,
        version: VERSION,
      },
      uid: id,
      correlation_uid: decisionId ?? id,
      sequence: seq,
      log_name: instance,
    },
    api: {
      operation,
      service: { name: 'mcp' },
      ...(request && { request: { uid: request.id } }),
    },
    actor: actorOf(record, principal),
    src_endpoint: request
      ? { ip: request.ip, ...(request.client && { svc_name: request.client }) }
      : { hostname: instance },
    ...(tool !== null && { resources: [{ name: tool, type: 'mcp' }] }),
    ...(record.outcome?.duration_ms != null && { duration: record.outcome.duration_ms }),
    ...(request?.trace_id && { trace: { uid: request.trace_id } }),
    unmapped: {
      on_behalf_of: record.on_behalf_of,
      delegation: record.delegation,
      required: record.required,
      missing: record.missing,
      arguments_sha256: record.arguments_sha256,
      prev: record.prev,
      hash: record.hash,
      ...(record.arguments && { arguments: record.arguments }),
      ...(record.list && { list: record.list }),
      ...(record.change && { change: record.change }),
      ...(record.checkpoint && { checkpoint: record.checkpoint }),
    },
  };
}

function actorOf({ decision, rule }: StoredRecord, principal: StoredRecord['principal']): JsonObject {
  if (!principal) return { user: { name: 'unknown', type_id: 0 } };
  const { sub, iss, kind, client_id: client, tenant, roles, token_id: token } = principal;
  return {
    user: {
      uid: sub,
      ...(principal.display_name !== undefined && { name: principal.display_name }),
      type_id: kind === 'human' ? 1 : 3,
      domain: iss,
      groups: roles.map((name) => ({ name })),
      ...(tenant !== null && { org: { uid: tenant } }),
    },
    app_uid: client,
    idp: { name: iss },
    session: { issuer: iss, ...(token !== null && { uid: token }) },
    ...(decision !== null && {
      authorizations: [{ decision, ...(rule !== null && { policy: { name: rule } }) }],
    }),
  };
}

function statusOf({ decision, reason, outcome }: StoredRecord): JsonObject {
  if (outcome) {
    return outcome.status === 'ok'
      ? { status_id: STATUS.success, status: 'Success' }
      : { status_id: STATUS.failure, status: 'Failure', status_code: outcome.status };
  }
  if (decision === 'deny') {
    return { status_id: STATUS.failure, status: 'Failure', ...(reason !== null && { status_code: reason }) };
  }
  return decision === 'allow'
    ? { status_id: STATUS.success, status: 'Success' }
    : { status_id: STATUS.other, status: 'Other' };
}

function actionOf({ decision }: StoredRecord): JsonObject {
  if (decision === null) return { action_id: ACTION.observed, action: 'Observed' };
  return decision === 'allow'
    ? { action_id: ACTION.allowed, action: 'Allowed', disposition_id: 1, disposition: 'Allowed' }
    : { action_id: ACTION.denied, action: 'Denied', disposition_id: 2, disposition: 'Blocked' };
}
