/**
 * `npm run bench`: cost of a protected call, step by step, beside a bare server and npm packages with the same
 * purpose, in one run. Times depend on the machine: compare the ratios.
 *
 *   --quick           under two minutes: fewer cells, shorter rounds
 *   --only A,B        only these servers
 *   --blocks A,B      only these blocks (ids as in the JSON)
 *   --rounds N, --milliseconds N
 *   --soak N          number of calls of the memory test (0: off)
 *   --starts N        number of cold starts (0: off)
 *   --out FOLDER      folder of the HTML page and the figures
 *   --profile         prints only a CPU profile of the product (or of the servers of --only)
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { install, isInstalled } from '../test/conformance/lib/packages.mjs';
import { coldStarts } from './lib/cold-start.mjs';
import { requireBuild } from './lib/contestants.mjs';
import { measureBlocks } from './lib/measure-blocks.mjs';
import { resultsPage } from './lib/page.mjs';
import { plan } from './lib/plan.mjs';
import { profileUnderLoad } from './lib/profile.mjs';
import { contestant } from './lib/roster.mjs';
import { setScene } from './lib/scene.mjs';
import { soak } from './lib/soak.mjs';
import { evaluateTargets } from './lib/targets.mjs';
import { blockTable, loadLine, noteTable, profileTable, startTable, targetTable } from './lib/text.mjs';

const PEERS = fileURLToPath(new URL('peers', import.meta.url));
const RESULTS = fileURLToPath(new URL('results', import.meta.url));

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    blocks: { type: 'string' },
    rounds: { type: 'string' },
    milliseconds: { type: 'string' },
    soak: { type: 'string' },
    starts: { type: 'string' },
    out: { type: 'string', default: RESULTS },
    profile: { type: 'boolean', default: false },
  },
});
/**
 * Blocks without a target must begin before this time, in milliseconds, so that the blocks with a target still fit.
 */
const UNTIL_MS = values.quick ? 70_000 : Infinity;
const given = (name, quick, full) => Number(values[name] ?? (values.quick ? quick : full));
const pace = {
  rounds: given('rounds', 3, 5),
  milliseconds: given('milliseconds', 400, 1000),
  // The JIT compiler improves hot code repeatedly, so the first ten thousand responses are the slowest.
  warmUp: values.quick ? 10_000 : 40_000,
  patience: values.quick ? 2500 : 12_000,
  settle: values.quick ? 150 : 400,
};
const STARTS = given('starts', 2, 5);
const SOAK = given('soak', 6000, 120_000);
const SOAK_MS = values.quick ? 10_000 : 120_000;
const FRESH = values.quick ? 300 : 2000;

const began = performance.now();
const say = (text) =>
  console.error(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}`);

requireBuild();
const blocks = chosenBlocks();
if (!values.profile && blocks.some(({ cells }) => cells.some(({ server }) => isPeer(server))))
  await needPeers();
const stage = await setScene({ say, fresh: freshTokens() });
const folder = resolve(values.out);
await mkdir(folder, { recursive: true });
try {
  await (values.profile ? profile() : climb());
} finally {
  await stage.leave();
}

async function climb() {
  const measured = await measureBlocks(blocks, stage, {
    ...pace,
    mayBegin: () => performance.now() - began < UNTIL_MS,
  });
  const start =
    STARTS > 0 ? (say('cold starts'), await coldStarts(stage, STARTS, values.quick ? 1 : STARTS)) : undefined;
  const soaked =
    SOAK > 0 ? (say('memory'), await soak(stage, SOAK, values.soak ? Infinity : SOAK_MS)) : undefined;
  await report({ ...measured, start, soak: soaked });
}

async function profile() {
  const calls = values.quick ? 3000 : 10_000;
  for (const server of values.only?.split(',') ?? ['product']) {
    for (const revision of contestant(server).revisions) {
      const what = { server, method: 'tools/call', revision, tools: 10, warmUp: calls, calls };
      const found = await profileUnderLoad(stage, what, folder);
      console.log(`\n${server}, ${what.method}, ${revision}\n${profileTable(found)}\n${found.file}`);
    }
  }
}

function chosenBlocks() {
  const [only, ids] = [values.only?.split(','), values.blocks?.split(',')];
  return plan(values.quick)
    .filter(({ id }) => !ids || ids.includes(id))
    .map((block) => ({ ...block, cells: block.cells.filter(({ server }) => !only || only.includes(server)) }))
    .filter(({ cells }) => cells.length > 0);
}

function freshTokens() {
  const cells = blocks.flatMap((block) => block.cells).filter(({ fresh }) => fresh);
  return Object.fromEntries(cells.map(({ algorithm }) => [algorithm, FRESH * (pace.rounds + 1)]));
}

function isPeer(server) {
  return contestant(server).kind === 'peer';
}

async function needPeers() {
  if (await isInstalled(PEERS)) return;
  say('installs the peers');
  await install(PEERS, { options: ['--ignore-scripts'] });
}

async function report(run) {
  const targets = evaluateTargets(run);
  const machine = `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0].model.trim()}`;
  const results = { when: new Date().toISOString(), machine, pace, ...run, targets };
  console.log(
    `\n${machine}; ${pace.rounds} interleaved rounds of ${pace.milliseconds} ms; 64 tokens in turn, 16 concurrent requests by default`,
  );
  console.log(`\n${noteTable(run.notes)}`);
  for (const block of run.blocks) console.log(`\n${block.title}\n${blockTable(block)}`);
  if (run.start) console.log(`\n${startTable(run.start)}`);
  console.log(`\n${targetTable(targets)}`);
  console.log(`\n${loadLine(run.blocks)}`);
  if (run.skipped.length > 0) console.log(`Skipped for lack of time: ${run.skipped.join('; ')}`);
  await writeFile(join(folder, 'bench.json'), JSON.stringify(results, null, 1));
  await writeFile(join(folder, 'bench.html'), resultsPage(results));
  console.log(`\n${join(folder, 'bench.html')}\n${join(folder, 'bench.json')}`);
}
