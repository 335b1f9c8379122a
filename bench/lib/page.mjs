/** The results as one self-contained HTML page; every chart has its table below. Pure functions. */
import { createRequire } from 'node:module';
import {
  baseOf,
  blockHead,
  figuresOf,
  fixed,
  NOTE_HEAD,
  noteRow,
  rowsOf,
  START_HEAD,
  startRows,
  TARGET_HEAD,
  targetRows,
  whole,
} from './text.mjs';

const require = createRequire(import.meta.url);
const { escaped, page, section } = require('../../dist/lib/html-page.js');

const MIB = 2 ** 20;
const ROW = 24;
const LABEL = 150;
const BARS = 420;
const WIDTH = 760;

/** The figures of the bars. */
const RATE = { title: 'requests per second', of: (figures) => figures.rate, show: whole };
const CPU = { title: 'CPU µs per request', of: (figures) => figures.cpu, show: whole };
const P99 = { title: 'p99, ms', of: (figures) => figures.p99, show: fixed };

/** @param results of a run, as in `bench.json` */
export function resultsPage(results) {
  const { when, machine, pace, blocks, notes, targets, start, soak } = results;
  const tail = results.skipped?.length ? ` Skipped for lack of time: ${results.skipped.join('; ')}.` : '';
  const body = [
    `<p>${escaped(`${when}; ${machine}; ${pace.rounds} interleaved rounds of ${pace.milliseconds} ms; medians with the minimum and maximum of the rounds. Ratios are computed within a round. Times depend on the machine: compare the ratios.${tail}`)}</p>`,
    section('Targets', TARGET_HEAD, targetRows(targets).map(withMark)),
    section('Compared servers and accepted tokens', NOTE_HEAD, notes.map(noteRow)),
    ...blocks.flatMap((block) => [
      section(block.title, blockHead, rowsOf(block)),
      ...(block.id.startsWith('ladder') ? [RATE, CPU, P99] : [RATE]).map((what) => chart(block, what)),
    ]),
    start ? section('Cold start', START_HEAD, startRows(start)) : '',
    soak ? soakSection(soak) : '',
  ];
  return page('Cost of a protected call', body.join('\n'));
}

function withMark(row) {
  const isBad = row.at(-1) === 'fail';
  const verdict = { html: `<b${isBad ? ' style="color:var(--bad)"' : ''}>${escaped(row.at(-1))}</b>` };
  return [...row.slice(0, -1), verdict];
}

/** Horizontal bars with a line from the minimum to the maximum of the rounds. */
function chart(block, { title, of, show }) {
  const rows = block.cells.map((cell) => ({
    cell,
    figure: of(figuresOf(cell)),
    base: baseOf(block, cell) === cell,
  }));
  const most = Math.max(...rows.map(({ figure }) => figure.most));
  const x = (value) => LABEL + (value / most) * BARS;
  const height = rows.length * ROW + 8;
  const bars = rows.map(({ cell, figure, base }, at) => {
    const y = at * ROW + 4;
    const isOurs = cell.server.startsWith('product');
    const label = labelOf(block, cell);
    const middle = y + ROW / 2 - 2;
    return `<g><title>${escaped(`${label}: ${show(figure.median)} (${show(figure.least)} to ${show(figure.most)}) ${title}`)}</title>
<text x="${LABEL - 8}" y="${middle + 4}" text-anchor="end"${base || isOurs ? ' font-weight="600"' : ''}>${escaped(label)}</text>
<rect x="${LABEL}" y="${y}" width="${(x(figure.median) - LABEL).toFixed(1)}" height="${ROW - 6}" rx="2" style="fill:var(--bar);opacity:${isOurs || base ? 1 : 0.55}"/>
<path d="M${x(figure.least).toFixed(1)} ${middle}H${x(figure.most).toFixed(1)}" style="stroke:var(--ink);stroke-width:1.5"/>
<text x="${(x(figure.most) + 8).toFixed(1)}" y="${middle + 4}">${escaped(show(figure.median))}</text></g>`;
  });
  return svg(`${block.title}: ${title}`, height, bars.join('\n'));
}

function labelOf(block, { server, tools, workers }) {
  const several = new Set(block.cells.map((cell) => cell.tools)).size > 1;
  return `${server}${several ? `, ${tools} tools` : ''}${workers > 1 ? ` ×${workers}` : ''}`;
}

function svg(title, height, body) {
  return `<figure style="margin:1rem 0"><figcaption>${escaped(title)}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}" style="width:100%;max-width:${WIDTH}px;font:12px system-ui,sans-serif;fill:var(--ink)">
${body}
</svg></figure>`;
}

function soakSection({ server, calls, samples }) {
  const height = 180;
  const most = Math.max(...samples.map(({ rss }) => rss));
  const x = (at) => LABEL + (at / (samples.length - 1)) * BARS;
  const y = (value) => height - 10 - (value / most) * (height - 20);
  const lines = [
    ['rss', 'RSS', 1],
    ['heapUsed', 'heap', 0.55],
  ].map(([part, name, opacity]) => {
    const points = samples.map((sample, at) => `${x(at).toFixed(1)},${y(sample[part]).toFixed(1)}`).join(' ');
    const last = samples.at(-1)[part];
    return `<polyline points="${points}" style="fill:none;stroke:var(--bar);stroke-width:2;opacity:${opacity}"/>
<text x="${LABEL + BARS + 8}" y="${(y(last) + 4).toFixed(1)}">${name} ${fixed(last / MIB)} MiB</text>`;
  });
  const title = `${server}: memory over ${calls.toLocaleString('en')} calls, after garbage collection`;
  const rows = samples.map((sample) => [sample.calls, fixed(sample.rss / MIB), fixed(sample.heapUsed / MIB)]);
  return section(title, ['calls', 'RSS MiB', 'heap MiB'], rows) + svg(title, height, lines.join('\n'));
}
