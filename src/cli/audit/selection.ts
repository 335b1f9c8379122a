/** Selection of records. Pure. */
import type { StoredRecord } from '../../audit/record.js';

/** All set members must match. */
export interface Selection {
  /** User at the root; without a user, subject of the token. */
  readonly person?: string;
  /** Agent or client of the delegation chain. */
  readonly agent?: string;
  readonly client?: string;
  readonly tool?: string;
  readonly decision?: 'allow' | 'deny';
  readonly reason?: string;
  readonly event?: string;
  readonly status?: string;
  readonly trace?: string;
  /** A record and related ones. */
  readonly id?: string;
  /** RFC 3339, UTC, milliseconds: sorts as text. */
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

/** Text in every selected line, as encoded in the log; the rarest one. Undefined if every line must be parsed. */
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
