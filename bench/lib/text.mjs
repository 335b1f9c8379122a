/** The tables on stdout. Pure functions. */
import { ratio, spread, summary } from './statistics.mjs';

const MIB = 2 ** 20;
const number = (value, digits) =>
  value === undefined || Number.isNaN(value)
    ? '–'
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const whole = (value) => number(value, 0);
export const fixed = (value) => number(value, value >= 100 ? 0 : 2);

/** Summary of a cell: medians and ranges of its rounds. */
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

/** The reference cell of a block, with the same number of tools and workers if possible. */
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

/** Names are left-aligned, figures right-aligned. */
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
  return lines.map(({ name, wanted, figure, byProcessor, verdict }) => [
    name,
    wanted,
    number(figure?.median, 2),
    figure ? `${number(figure.least, 2)}–${number(figure.most, 2)}` : '–',
    number(byProcessor?.median, 2),
    verdict,
  ]);
}

export const TARGET_HEAD = ['target', 'wanted', 'ratio', 'least–most', 'by processor', 'verdict'];
export const targetTable = (lines) => table(TARGET_HEAD, targetRows(lines));

/** Description of a peer or rung and its result with invalid tokens. */
export function noteRow({ server, says, kind, letsIn, error, idle }) {
  let door = 'all rejected';
  if (error) door = `skipped: ${error.split('\n')[0]}`;
  else if (kind === 'limit') door = 'no token check';
  else if (letsIn.length > 0) door = `ACCEPTS: ${letsIn.join(', ')}; not measured`;
  return [server, says, door, idle === undefined ? '–' : number(idle / MIB, 0)];
}

export const NOTE_HEAD = ['server', 'description', 'bad tokens', 'idle MiB'];
export const noteTable = (notes) => table(NOTE_HEAD, notes.map(noteRow));

export function startRows(start) {
  return Object.entries(start).map(([name, times]) => {
    const { median, least, most } = summary(times);
    return [name, ...[median, least, most].map((time) => number(time, 0))];
  });
}

export const START_HEAD = ['cold start to the first 200', 'ms', 'least', 'most'];
export const startTable = (start) => table(START_HEAD, startRows(start));

/** Reports whether the load generator limits the measurement. */
export function loadLine(blocks) {
  const cells = blocks.flatMap((block) => block.cells).filter(({ workers }) => workers === 1);
  const best = (list) => Math.max(...list.map((cell) => figuresOf(cell).rate.median));
  const [open, guarded] = [
    cells.filter(({ server }) => server === 'bare-open'),
    cells.filter(({ server }) => server !== 'bare-open'),
  ];
  if (open.length === 0 || guarded.length === 0)
    return 'The load generator was not measured against a server without a token check';
  const headroom = best(open) / best(guarded);
  const says = headroom < 1.2 ? ': TOO LOW, the load generator limits the figures' : '';
  return `The load generator reaches ${number(headroom, 2)} times the rate of the fastest server with a token check${says}`;
}

export function profileTable({ count, rate, groups, busy, cpu }) {
  const rows = groups.map(([name, time]) => [
    name,
    `${number((time / busy) * 100, 1)} %`,
    number(time / count, 1),
  ]);
  const beside = (cpu - busy) / count;
  return [
    `${number(rate, 0)} req/s and ${number(cpu / count, 0)} µs CPU per request under the profiler`,
    table(['group', 'of the main thread', 'µs per request'], rows),
    `other threads (signatures, files, garbage collection): ${number(beside, 0)} µs per request`,
  ].join('\n');
}
