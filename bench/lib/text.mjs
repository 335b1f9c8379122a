/** The tables on stdout. Pure. */
import { ratio, spread, summary } from './statistics.mjs';

const MIB = 2 ** 20;
const number = (value, digits) =>
  value === undefined || Number.isNaN(value)
    ? '–'
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const whole = (value) => number(value, 0);
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

/** What the peers and rungs are, and what they did with bad tokens. */
export function noteRow({ server, says, kind, letsIn, error, idle }) {
  let door = 'refused, every one';
  if (error) door = `left out: ${error.split('\n')[0]}`;
  else if (kind === 'limit') door = 'asks for none';
  else if (letsIn.length > 0) door = `LETS IN: ${letsIn.join(', ')}; not timed`;
  return [server, says, door, idle === undefined ? '–' : number(idle / MIB, 0)];
}

export const NOTE_HEAD = ['server', 'what it is', 'bad tokens', 'idle MiB'];
export const noteTable = (notes) => table(NOTE_HEAD, notes.map(noteRow));

export function startRows(start) {
  return Object.entries(start).map(([name, times]) => {
    const { median, least, most } = summary(times);
    return [name, ...[median, least, most].map((time) => number(time, 0))];
  });
}

export const START_HEAD = ['from nothing to the first 200', 'ms', 'least', 'most'];
export const startTable = (start) => table(START_HEAD, startRows(start));

/** Whether what is measured is the servers, and not the load. */
export function loadLine(blocks) {
  const cells = blocks.flatMap((block) => block.cells).filter(({ workers }) => workers === 1);
  const best = (list) => Math.max(...list.map((cell) => figuresOf(cell).rate.median));
  const [open, guarded] = [
    cells.filter(({ server }) => server === 'bare-open'),
    cells.filter(({ server }) => server !== 'bare-open'),
  ];
  if (open.length === 0 || guarded.length === 0)
    return 'The load was not held against a server without a token check';
  const headroom = best(open) / best(guarded);
  const says = headroom < 1.2 ? ': TOO LITTLE, what is measured is the load' : '';
  return `The load can drive ${number(headroom, 2)} times what the fastest server with a token check did${says}`;
}

export function profileTable({ count, rate, groups, busy, cpu }) {
  const rows = groups.map(([name, time]) => [
    name,
    `${number((time / busy) * 100, 1)} %`,
    number(time / count, 1),
  ]);
  const beside = (cpu - busy) / count;
  return [
    `${number(rate, 0)} req/s and ${number(cpu / count, 0)} µs of processor a request under the profiler`,
    table(['group', 'of the main thread', 'µs a request'], rows),
    `beside the main thread (signatures, files, the collector's helpers): ${number(beside, 0)} µs a request`,
  ].join('\n');
}
