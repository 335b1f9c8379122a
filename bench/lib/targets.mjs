/** The targets and their evaluation. Pure functions. */
import { growth, ratio } from './statistics.mjs';

const MIB = 2 ** 20;
/** Permitted difference of the heap between thirds of a run: compiled code comes and goes. */
const FLAT_PART = 0.03;
const FLAT_BYTES = MIB;
/** Fewer calls cannot show slow growth. */
const ENOUGH_CALLS = 50_000;

/**
 * @param run the measurement: `blocks` (with `rounds` in each cell), `start`, `soak`
 * @returns lines with the target, the result, the result by CPU time per request (less sensitive to other
 *   processes), and the verdict: `pass`, `floor` (above the floor, below the goal), `fail` or `unmeasured`
 */
export function evaluateTargets({ blocks, start, soak }) {
  const lines = [];
  const add = (name, wanted, figure, verdict, byProcessor) =>
    lines.push({ name, wanted, figure, verdict, byProcessor });
  const between = (name, wanted, one, other, least, floor = least) => {
    const found = one && other && ratio(one.rounds, other.rounds, ({ rate }) => rate);
    if (!found) return add(name, wanted, undefined, 'unmeasured');
    const { median } = found;
    let verdict = 'fail';
    if (hasFailed(one) || hasFailed(other)) verdict = 'failed requests';
    else if (median >= least) verdict = 'pass';
    else if (median >= floor) verdict = 'floor';
    add(
      name,
      wanted,
      found,
      verdict,
      ratio(other.rounds, one.rounds, ({ cpu }) => cpu),
    );
  };
  const at = (block, server, tools) => cellOf(blocks, block, server, tools);
  for (const product of ['product', 'product-pg']) {
    for (const revision of ['legacy', 'modern']) {
      const block = `ladder-${revision}`;
      const one = at(block, product);
      if (!one) continue;
      between(
        `${product}, ${revision}: req/s against bare node:http + jose`,
        '≥ 1.00, at least 0.60',
        one,
        at(block, 'bare-jose'),
        1,
        0.6,
      );
      between(`${product}, ${revision}: req/s against mcp-nest`, '≥ 3.00', one, at(block, 'mcp-nest'), 3);
      tail(`${product}, ${revision}: p99 against p50`, one, add);
    }
  }
  between(
    'tools/call with 1,000 tools against 10',
    '≥ 0.95',
    at('call-by-tools', 'product', 1000),
    at('call-by-tools', 'product', 10),
    0.95,
  );
  between(
    'tools/list of 100 tools against mcp-nest',
    '≥ 10.0',
    at('list-100', 'product'),
    at('list-100', 'mcp-nest'),
    10,
  );
  cold(start, add);
  flat(soak, add);
  return lines;
}

const hasFailed = ({ rounds }) => rounds.some(({ failures }) => Object.keys(failures).length > 0);

export function cellOf(blocks, id, server, tools) {
  const cells = blocks.find((one) => one.id === id)?.cells ?? [];
  return cells.find(
    (one) => one.server === server && (tools === undefined || one.tools === tools) && one.rounds?.length > 0,
  );
}

function tail(name, one, add) {
  const found = ratio(
    one.rounds.map(({ p99 }) => p99),
    one.rounds.map(({ p50 }) => p50),
    (time) => time,
  );
  add(name, '≤ 3.00', found, found.median <= 3 ? 'pass' : 'fail');
}

function cold(start, add) {
  const empty = start?.['empty-nest'];
  for (const [name, wanted] of [
    ['product, PostgreSQL', 1.3],
    ['product, embedded', undefined],
  ]) {
    const rounds = start?.[name];
    const label = `${name}: cold start to the first 200 against an empty Nest`;
    if (!empty || !rounds) {
      add(label, wanted ? `≤ ${wanted.toFixed(2)}` : 'stated', undefined, 'unmeasured');
      continue;
    }
    const found = ratio(rounds, empty, (time) => time);
    if (wanted === undefined) add(label, 'stated', found, 'stated');
    else add(label, `≤ ${wanted.toFixed(2)}`, found, found.median <= wanted ? 'pass' : 'fail');
  }
}

function flat(soak, add) {
  const found = soak && growth(soak.samples.map(({ heapUsed }) => heapUsed));
  const name = soak
    ? `heap over ${soak.calls.toLocaleString('en')} calls, last third against the second`
    : 'heap over many calls';
  if (!found) return add(name, 'flat', undefined, 'unmeasured');
  const { before, after } = found;
  const isFlat =
    after - before <= Math.max(before * FLAT_PART, FLAT_BYTES) && Object.keys(soak.failures).length === 0;
  const enough = soak.calls < ENOUGH_CALLS ? 'too short' : 'pass';
  const verdict = isFlat ? enough : 'fail';
  const figure = { median: after / before, least: after / before, most: after / before };
  add(name, 'flat (≤ 1.03, or 1 MiB)', figure, verdict);
}
