/** Prints results of policy commands. Escapes external values for terminal, spreadsheet and HTML. Pure. */
import { page, section } from '../../lib/html-page.js';
import { escapeControlChars } from '../../lib/format-text.js';
import type { LoadedPolicy } from '../../policy/load-policy.js';
import { rateText } from '../../policy/rates.js';
import type { Explanation } from './explain.js';
import type { CellChange, Matrix, MatrixCell } from './matrix.js';
import type { Difference } from './replay.js';

const MARKS = { passed: '✓', refused: '✗', 'not reached': ' ' } as const;
/** Examples per kind of difference; others are counted. */
const MAX_EXAMPLES = 3;
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

export function renderCheck({ policy, operator, cedarRules, author, notices }: LoadedPolicy): string {
  const rules = operator.rules.map((rule) => {
    const asks = [
      ...(rule.scopes.length > 0 ? [`scopes ${rule.scopes.join(' ')}`] : []),
      ...rule.roles.map((group) => `role ${group.join(' or ')}`),
      ...(rule.assurance ? ['authentication assurance'] : []),
      ...(rule.workloads ? [`workloads: ${[...rule.workloads].join(', ') || 'none'}`] : []),
      ...rule.rates.map((name) => `rate ${name}`),
    ];
    return row(rule.source, rule.isShadow, rule.match, asks.join('; '));
  });
  const all = policy.targets.size;
  const conditions = cedarRules.map((rule) => {
    const where = rule.labels.size === all ? ['all targets'] : [...rule.labels];
    const phase = rule.needsArguments
      ? `calls, by ${[...rule.reads].join(', ') || 'arguments'}`
      : 'lists and calls';
    return row(rule.source, rule.isShadow, where, phase);
  });
  const head =
    policy.digest === undefined
      ? 'no policy'
      : `policy ${policy.digest}${author === null ? '' : ` by ${author}`}`;
  return [
    escapeControlChars(head),
    ...rules,
    ...conditions,
    ...notices.map((notice) => `  note: ${escapeControlChars(notice)}`),
  ].join('\n');
}

function row(source: string, isShadow: boolean, where: readonly string[], what: string): string {
  const names =
    where.length > 6 ? `${where.slice(0, 6).join(', ')} and ${where.length - 6} more` : where.join(', ');
  return escapeControlChars(`  ${source}${isShadow ? ' (shadow)' : ''}: ${names}: ${what}`);
}

export function renderExplanation({ target, decision, steps, rates, open }: Explanation): string {
  const width = Math.max(...steps.map(({ check }) => check.length));
  const lines = steps.map(({ check, outcome, message, rule }) => {
    const by = rule === undefined || message.startsWith(rule) ? '' : ` (${rule})`;
    return `  ${MARKS[outcome]} ${check.padEnd(width)}  ${outcome === 'not reached' ? 'not reached' : escapeControlChars(`${message}${by}`)}`;
  });
  const { shadow } = decision;
  const would = shadow?.reason === null ? 'would allow' : `would deny with ${shadow?.reason}`;
  const shadowLine = shadow ? [escapeControlChars(`  shadow: ${shadow.rule} ${would}`)] : [];
  const counted = rates.map((rate) =>
    escapeControlChars(
      `  counts in rate ${rate.name}${rate.isShadow ? ' (shadow)' : ''}: ${rateText(rate)} (${rate.source})`,
    ),
  );
  const allowed = open.length === 0 ? 'allowed' : `depends on its arguments (${open.join(', ')})`;
  const verdict = decision.effect === 'allow' ? allowed : `denied: ${decision.reason}, by ${decision.rule}`;
  return [escapeControlChars(`${target}: ${verdict}`), ...lines, ...counted, ...shadowLine].join('\n');
}

export function renderMatrix({ principals, rows }: Matrix): string {
  const lines = [['', ...principals], ...rows.map(({ target, cells }) => [target, ...cells.map(wordOf)])];
  const widths =
    lines[0]?.map((_, at) => Math.max(...lines.map((line) => escapeControlChars(line[at] ?? '').length))) ??
    [];
  return lines
    .map((line) =>
      line
        .map((text, at) => escapeControlChars(text).padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function matrixCsv({ principals, rows }: Matrix): string {
  const lines = [['', ...principals], ...rows.map(({ target, cells }) => [target, ...cells.map(wordOf)])];
  return lines.map((line) => line.map(csvField).join(',')).join('\r\n');
}

export function matrixPage({ principals, rows }: Matrix, title: string): string {
  const table = section(
    'Access matrix',
    ['', ...principals],
    rows.map(({ target, cells, conditions = [] }) => [
      target,
      ...cells.map((cell) => {
        const by = cell.answer === 'depends' ? conditions.map(({ source }) => source).join(', ') : cell.rule;
        return by === undefined ? wordOf(cell) : `${wordOf(cell)} (${by})`;
      }),
    ]),
  );
  return page(
    title,
    `<p>yes: allowed. depends: the decision depends on the arguments. Other cells show the reason and the rule of the denial.</p>\n${table}`,
  );
}

export function renderChanges(changes: readonly CellChange[]): string {
  if (changes.length === 0) return 'No decision changes.';
  const lines = changes.map(({ target, principal, before, after, conditions, listed }) => {
    if (listed !== undefined) {
      const message = listed ? 'appears in lists' : 'disappears from lists';
      return escapeControlChars(`  ${target}, ${principal}: ${message} (${wordOf(after)})`);
    }
    if (conditions) {
      return escapeControlChars(
        `  ${target}, ${principal}: depends on different conditions: ${conditions.join(', ')}`,
      );
    }
    const by = after?.rule === undefined ? '' : ` (${after.rule})`;
    return escapeControlChars(`  ${target}, ${principal}: ${wordOf(before)} → ${wordOf(after)}${by}`);
  });
  return [`${changes.length} cell(s) change:`, ...lines].join('\n');
}

export interface ReplaySummary {
  readonly same: number;
  readonly skipped: number;
  readonly unknown: ReadonlyMap<string, number>;
  readonly kinds: readonly DifferenceKind[];
}

export interface DifferenceKind {
  readonly count: number;
  /** First differences. */
  readonly examples: readonly Difference[];
}

export function renderReplay({ same, skipped, unknown, kinds }: ReplaySummary): string {
  const different = kinds.reduce((sum, { count }) => sum + count, 0);
  const lines = [`${same + different} decision(s) replayed: ${same} unchanged, ${different} different.`];
  if (skipped > 0) lines.push(`${skipped} record(s) without a policy decision were omitted.`);
  for (const [rule, count] of unknown) {
    lines.push(
      escapeControlChars(`${count} cannot be replayed: ${rule} reads arguments that are not recorded.`),
    );
  }
  for (const { count, examples } of kinds) {
    const [first] = examples;
    if (!first) continue;
    lines.push(
      escapeControlChars(
        `  ${first.target}: ${first.before} → ${first.after}, by ${first.rule}: ${count} time(s)`,
      ),
    );
    for (const { time, person, id } of examples.slice(0, MAX_EXAMPLES)) {
      lines.push(escapeControlChars(`    ${time}  ${person}  ${id}`));
    }
  }
  return lines.join('\n');
}

function wordOf(cell: MatrixCell | undefined): string {
  if (!cell) return 'absent';
  return cell.answer === 'allow' ? 'yes' : cell.answer;
}

/** RFC 4180. Formulas, also in full-width letters, are escaped as text. */
function csvField(text: string): string {
  const shown = text.replace(UNSEEN, escapeControlChars);
  const safe = /^\s*[=+\-@＝＋－＠]/u.test(shown) ? `'${shown}` : shown;
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
