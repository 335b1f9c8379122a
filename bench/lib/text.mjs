/** The tables on stdout. Pure. */
import { ratio, spread, summary } from './statistics.mjs';

const MIB = 2 ** 20;
const number = (value, digits) =>
  value === undefined || Number.isNaN(value)
    ? '–'
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const fixed = (value) => number(value, value >= 100 ? 0 : 2);

/** What a cell came to: medians of its rounds, and how far they lie apart. */
export function figuresOf(cell) {
  const over = (pick) => summary(cell.rounds.map(pick));
  return {
    rate: over(({ rate }) => rate),
    p50: over(({ p50 }) => p50),
    p99: over(({ p99 }) => p99),
    user: over(({ user }) => user),
    system: over(({ system }) => system),
    cpu: over(({ cpu }) => cpu),
    rss: over(({ rss }) => rss),
    busy: over(({ busy }) => busy),
    failures: cell.rounds.reduce(
      (sum, { failures }) => sum + Object.values(failures).reduce((a, b) => a + b, 0),
      0,
    ),
  };
}

/** The cell that the others of its block are compared with, with as many tools and as many workers where there is one. */
export function baseOf(block, cell) {
  const others = block.cells.filter(({ server }) => server === 'bare-jose');
  return others.find(({ tools, workers }) => tools === cell.tools && workers === 1) ?? others[0];
}

const HEAD = [
  'server',
  'tools',
  'req/s',
  'spread',
  'ratio',
  'p50 ms',
  'p99 ms',
  'CPU µs',
  'user+sys',
  'RSS MiB',
  '',
];

export function rowsOf(block) {
  return block.cells.map((cell) => {
    const { rate, p50, p99, cpu, user, system, rss, failures } = figuresOf(cell);
    const base = baseOf(block, cell);
    const against = base && ratio(cell.rounds, base.rounds, (round) => round.rate);
    return [
      cell.server + (cell.workers > 1 ? ` ×${cell.workers}` : ''),
      String(cell.tools),
      number(rate.median, 0),
      `${Math.round(spread(rate) * 100)} %`,
      number(against?.median, 2),
      number(p50.median, 2),
      number(p99.median, 2),
      number(cpu.median, 0),
      `${number(user.median, 0)}+${number(system.median, 0)}`,
      number(rss.median / MIB, 0),
      failures > 0 ? `${failures} failed` : '',
    ];
  });
}

export const blockTable = (block) => table(HEAD, rowsOf(block));
export const blockHead = HEAD;

/** Names to the left, figures to the right. */
export function table(head, rows) {
  const all = [head, ...rows];
  const widths = head.map((_, at) => Math.max(...all.map((row) => row[at].length)));
  return all
    .map((row) =>
      row
        .map((text, at) => (at === 0 ? text.padEnd(widths[at]) : text.padStart(widths[at])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function targetRows(lines) {
  return lines.map(({ name, wanted, figure, verdict }) => [
    name,
    wanted,
    number(figure?.median, 2),
    figure ? `${number(figure.least, 2)}–${number(figure.most, 2)}` : '–',
    verdict,
  ]);
}

export const TARGET_HEAD = ['target', 'wanted', 'ratio', 'least–most', 'verdict'];
export const targetTable = (lines) => table(TARGET_HEAD, targetRows(lines));
