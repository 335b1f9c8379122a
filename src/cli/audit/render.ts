/** Prints results of audit commands; escapes recorded values. Pure. */
import { escapeControlChars } from '../../lib/format-text.js';
import type { StoredRecord } from '../../audit/record.js';
import { labelOf, type Summary } from './summary.js';
import type { Verdict } from './verdict.js';

/** Rows of one table; others are counted. */
const MAX_ROWS = 50;
const MAX_CELL = 60;

export function renderVerdict(verdict: Verdict): string {
  const { instance, files, records, from, to, fault, notes, signedUntil, checkpoints, keys } = verdict;
  const facts: [string, string][] = [
    ['chain', instance ?? 'unknown'],
    ['files', String(files.length)],
    ['records', `${records}${from && to ? `, ${from.seq} to ${to.seq}, ${from.time} to ${to.time}` : ''}`],
    [
      'signed',
      signedUntil === null ? 'none' : `up to record ${signedUntil}, by ${checkpoints} checkpoint(s)`,
    ],
    ['keys', keys.join(', ') || 'none'],
    ['end', to ? `${to.seq}:${to.hash}` : 'none'],
  ];
  const lines = facts.map(([name, value]) => `  ${name.padEnd(8)} ${escapeControlChars(value)}`);
  const unsigned = to ? to.seq - (signedUntil ?? 0) : 0;
  const good =
    unsigned === 0
      ? 'INTACT: every record is unchanged and in order.'
      : `INTACT up to record ${signedUntil}, the last signed record. The ${unsigned} record(s) after it fit the chain but are not signed yet: a process with write access to the file could have forged them.`;
  const verdictLine = fault
    ? `TAMPERED: ${escapeControlChars(fault.file)}, line ${fault.line}: ${fault.kind}: ${escapeControlChars(fault.message)} All records before it are unchanged.`
    : good;
  return [...lines, ...notes.map((note) => `  note     ${escapeControlChars(note)}`), verdictLine].join('\n');
}

/** One line per record. */
export function renderRecord(record: StoredRecord): string {
  const { time, event, decision, reason, tool, outcome, principal, request, id } = record;
  const who = principal ? `${labelOf(record)} via ${principal.client_id}` : (request?.ip ?? 'the server');
  const what = tool ?? request?.method ?? record.change?.what ?? event;
  const how =
    outcome?.status ??
    (decision === 'deny' ? `deny ${reason ?? ''}` : (decision ?? record.change?.what ?? event));
  return escapeControlChars(`${time}  ${how.padEnd(24)}  ${what.padEnd(24)}  ${who}  ${id}`);
}

export function renderSummary(summary: Summary): string {
  const { records, from, to, counts, outcomes, uses, refusals, unusedGrants, changes, isCut } = summary;
  const ends = Object.entries(outcomes).map(([status, count]) => `${count} ${status}`);
  return [
    `${records} records, ${from ?? 'none'} to ${to ?? 'none'}`,
    `${counts.allowed} calls allowed, ${counts.denied} requests denied (${counts.unauthenticated} unauthenticated), ${counts.lists} lists`,
    `ends: ${ends.join(', ') || 'none'}`,
    ...(isCut
      ? [
          'The report counts a limited number of distinct users, tools and reasons; the rest are counted together.',
        ]
      : []),
    table(
      'Use by user and tool',
      ['person', 'tool', 'allowed', 'denied', 'failed', 'last'],
      uses.map((use) => [use.person, use.tool, use.allowed, use.denied, use.failed, use.last]),
    ),
    table(
      'Denials by reason',
      ['reason', 'what', 'person', 'missing', 'times', 'last'],
      refusals.map((one) => [one.reason, one.tool ?? '', one.person ?? '', one.missing, one.count, one.last]),
    ),
    table(
      'Unused grants',
      ['person', 'scopes', 'roles'],
      unusedGrants.map((one) => [one.person, one.scopes.join(' '), one.roles.join(' ')]),
    ),
    table(
      'Changes',
      ['time', 'what'],
      changes.map((one) => [one.time, one.message]),
    ),
  ].join('\n');
}

/** A long name must not displace other columns. */
function cut(text: string): string {
  return text.length > MAX_CELL ? `${text.slice(0, MAX_CELL - 1)}…` : text;
}

function table(
  title: string,
  heads: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  if (rows.length === 0) return `\n${title}: none`;
  const shown = rows
    .slice(0, MAX_ROWS)
    .map((row) => row.map((cell) => cut(escapeControlChars(String(cell)))));
  const widths = heads.map((head, at) => Math.max(head.length, ...shown.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, at) => (/^\d+$/.test(cell) ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0))).join('  ')}`.trimEnd();
  const more = rows.length - shown.length;
  return [`\n${title}`, line(heads), ...shown.map(line), ...(more > 0 ? [`  … and ${more} more`] : [])].join(
    '\n',
  );
}
