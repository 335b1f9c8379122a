/** Which records are asked for. Pure. */
import type { StoredRecord } from '../../audit/record.js';

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

export function selects(selection: Selection, record: StoredRecord): boolean {
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
 * A text that every selected line holds, as the audit log spells it: the rarest one that the selection has. Undefined where
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
