/** Which records are asked for. Pure. */
import type { JsonObject } from '../common/exchange.js';

/** Every member that is set must hold. */
export interface Selection {
  /** Subject at the root, or, for a record without a person, of the token. */
  readonly person?: string;
  /** A link of the chain of delegation that is no person. */
  readonly agent?: string;
  readonly client?: string;
  readonly tool?: string;
  readonly decision?: 'allow' | 'deny';
  readonly reason?: string;
  readonly event?: string;
  readonly status?: string;
  readonly trace?: string;
  /** A record, and what belongs to it. */
  readonly id?: string;
  /** RFC 3339, UTC, milliseconds: texts of that form sort as times do. */
  readonly since?: string;
  readonly until?: string;
}

/** A record as it stands in a ledger, so far as questions are about it. */
export interface LedgerRecord {
  readonly seq: number;
  readonly id: string;
  readonly time: string;
  readonly instance: string;
  readonly event: string;
  readonly decision: 'allow' | 'deny' | null;
  readonly reason: string | null;
  readonly rule: string | null;
  readonly request: {
    readonly id: string;
    readonly trace_id: string | null;
    readonly method: string | null;
    readonly ip: string;
    readonly client: string | null;
  } | null;
  readonly tool: string | null;
  readonly arguments_sha256: string | null;
  readonly arguments?: JsonObject;
  readonly principal: {
    readonly iss: string;
    readonly sub: string;
    readonly kind: string;
    readonly client_id: string;
    readonly tenant: string | null;
    readonly scopes: readonly string[];
    readonly roles: readonly string[];
  } | null;
  readonly on_behalf_of: string | null;
  readonly delegation: readonly { readonly sub: string; readonly iss: string; readonly type: string }[];
  readonly delegation_omitted?: number;
  readonly required: { readonly scopes: readonly string[]; readonly roles: readonly string[] };
  readonly missing: { readonly scopes: readonly string[]; readonly roles: readonly string[] };
  readonly outcome: { readonly status: string; readonly duration_ms: number | null } | null;
  readonly decision_id: string | null;
  readonly list?: { readonly shown: number; readonly hidden: number };
  readonly change?: JsonObject & { readonly what: string };
  readonly checkpoint?: JsonObject;
}

export function selects(selection: Selection, record: LedgerRecord): boolean {
  const { person, agent, client, tool, decision, reason, event, status, trace, id, since, until } = selection;
  const { principal } = record;
  return (
    (person === undefined || (record.on_behalf_of ?? principal?.sub) === person) &&
    (agent === undefined || record.delegation.some(({ sub, type }) => sub === agent && type !== 'human')) &&
    (client === undefined || principal?.client_id === client) &&
    (tool === undefined || record.tool === tool) &&
    (decision === undefined || record.decision === decision) &&
    (reason === undefined || record.reason === reason) &&
    (event === undefined || record.event === event) &&
    (status === undefined || record.outcome?.status === status) &&
    (trace === undefined || record.request?.trace_id === trace) &&
    (id === undefined || record.id === id || record.decision_id === id) &&
    (since === undefined || record.time >= since) &&
    (until === undefined || record.time < until)
  );
}

/**
 * A text that every selected line holds, as the ledger spells it: the rarest one that the selection has. Undefined where
 * every line must be read.
 */
export function commonText(selection: Selection): string | undefined {
  const { id, trace, person, agent, client, tool, reason, status, event, decision } = selection;
  const members: [string | undefined, string][] = [
    [id, ''],
    [trace, '"trace_id":'],
    [person, '"sub":'],
    [agent, '"sub":'],
    [client, '"client_id":'],
    [tool, '"tool":'],
    [reason, '"reason":'],
    [status, '"status":'],
    [event, '"event":'],
    [decision, '"decision":'],
  ];
  const found = members.find(([value]) => value !== undefined);
  return found && found[1] + JSON.stringify(found[0]);
}
