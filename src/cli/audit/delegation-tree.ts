/** Draws the delegation chain of one decision as a tree. Pure. */
import { escapeControlChars } from '../../lib/format-text.js';
import type { StoredRecord } from '../../audit/record.js';

/** @param records decision and related records, in order. */
export function drawTree(records: readonly StoredRecord[]): string {
  const decision = records.find(({ decision_id: of }) => of === null) ?? records[0];
  if (!decision) return '';
  const { delegation, delegation_omitted: omitted = 0, on_behalf_of: person, principal } = decision;
  const links = delegation.map(({ sub, type, iss }, at) => {
    const from = at === 0 || iss !== delegation[at - 1]?.iss ? ` of ${shown(iss)}` : '';
    const name = at === 0 && sub === principal?.sub ? principal.display_name : undefined;
    return `${shown(sub)}${name === undefined ? '' : ` <${shown(name)}>`} (${type})${from}`;
  });
  if (omitted > 0)
    links.splice(1, 0, `… ${omitted} actor(s) omitted: the delegation chain exceeds the recorded length`);
  const root = links.length === 0 ? ['no principal: the request was not authenticated'] : links;
  const ends = records.filter(({ decision_id: of }) => of !== null).map(endOf);
  const steps = [...root, ...act(decision, ends)];
  const note = person === null && links.length > 0 ? ['no user: a workload acted for itself'] : [];
  return [...note, ...steps.map((step, at) => (at === 0 ? step : `${'   '.repeat(at - 1)}└─ ${step}`))].join(
    '\n',
  );
}

function act(record: StoredRecord, ends: readonly string[]): string[] {
  const { request, tool, decision, reason, rule, id, time, seq, required, missing } = record;
  const what = tool ?? request?.method ?? record.event;
  const verdict =
    decision === null ? record.event : decision === 'allow' ? 'allowed' : `denied: ${reason ?? 'unknown'}`;
  const lacks = [
    ...missing.scopes.map((scope) => `scope ${scope}`),
    ...missing.roles.map((role) => `role ${role}`),
  ];
  const asks = [
    ...required.scopes.map((scope) => `scope ${scope}`),
    ...required.roles.map((role) => `role ${role}`),
  ];
  const why = [
    rule === null ? '' : `by ${shown(rule)}`,
    asks.length > 0 ? `which requires ${asks.map(shown).join(', ')}` : '',
    lacks.length > 0 ? `missing ${lacks.map(shown).join(', ')}` : '',
  ].filter((text) => text !== '');
  return [
    `${shown(what)}, ${verdict}${why.length > 0 ? ` (${why.join('; ')})` : ''}`,
    `record ${seq}, ${id}, ${time}${ends.length > 0 ? `; ${ends.join('; ')}` : ''}`,
  ];
}

function endOf({ outcome, time }: StoredRecord): string {
  if (!outcome) return `then at ${time}`;
  const { status, duration_ms: duration } = outcome;
  return `ended ${shown(status)}${duration === null ? '' : ` after ${duration} ms`} at ${time}`;
}

function shown(text: string): string {
  return escapeControlChars(text);
}
