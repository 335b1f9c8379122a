/**
 * `npm run bench`: what a guarded call costs, step by step, beside a bare server and beside the peers that npm has; in
 * one run, on one machine. Times are of this machine: compare the ratios.
 *
 *   --quick           under two minutes: fewer cells, shorter rounds
 *   --only A,B        these servers alone
 *   --blocks A,B      these blocks alone (their ids are in the JSON)
 *   --rounds N, --milliseconds N
 *   --soak N          memory over so many calls (0: leave it out)
 *   --starts N        cold starts (0: leave them out)
 *   --out FOLDER      where the page and the figures go
 *   --profile         where the processor's time goes in the product, and nothing else
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { install, isInstalled } from '../test/conformance/lib/packages.mjs';
import { makeKey, startIssuer } from './issuer.mjs';
import { coldStarts } from './lib/cold-start.mjs';
import { requireBuild } from './lib/contestants.mjs';
import { makeDatabase } from './lib/database.mjs';
import { badTokens } from './lib/door.mjs';
import { makeTokens, measureBlocks } from './lib/measure-blocks.mjs';
import { plan } from './lib/plan.mjs';
import { soak } from './lib/soak.mjs';
import { judge } from './lib/targets.mjs';
import { blockTable, targetTable } from './lib/text.mjs';
import { ALGORITHMS, AUDIENCE } from './lib/workload.mjs';

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
const given = (name, quick, full) => Number(values[name] ?? (values.quick ? quick : full));
const pace = {
  rounds: given('rounds', 3, 5),
  milliseconds: given('milliseconds', 400, 1000),
  warmUp: values.quick ? 1200 : 6000,
  patience: values.quick ? 800 : 4000,
  settle: values.quick ? 150 : 400,
};
const STARTS = given('starts', 2, 5);
const SOAK = given('soak', 12_000, 120_000);
const FRESH = values.quick ? 500 : 2000;

const began = performance.now();
const say = (text) =>
  console.error(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}`);

requireBuild();
const blocks = chosenBlocks();
if (blocks.some(({ cells }) => cells.some(({ server }) => isPeer(server)))) await needPeers();
const stage = await setStage();
try {
  const measured = await measureBlocks(blocks, stage, pace);
  const start = STARTS > 0 ? (say('cold starts'), await coldStarts(stage, STARTS)) : undefined;
  const soaked = SOAK > 0 ? (say('memory'), await soak(stage, SOAK)) : undefined;
  await report({ ...measured, start, soak: soaked });
} finally {
  await stage.leave();
}

function chosenBlocks() {
  const [only, ids] = [values.only?.split(','), values.blocks?.split(',')];
  return plan(values.quick)
    .filter(({ id }) => !ids || ids.includes(id))
    .map((block) => ({ ...block, cells: block.cells.filter(({ server }) => !only || only.includes(server)) }))
    .filter(({ cells }) => cells.length > 0);
}

function isPeer(server) {
  return ['mcp-nest', 'sdk-v1', 'fastmcp'].includes(server);
}

async function needPeers() {
  if (await isInstalled(PEERS)) return;
  say('installing the peers');
  await install(PEERS, { options: ['--ignore-scripts'] });
}

async function setStage() {
  const keys = await Promise.all(ALGORITHMS.map((algorithm) => makeKey(`key-${algorithm}`, algorithm)));
  const forger = await makeKey('forger', 'RS256');
  const issuer = await startIssuer(keys, AUDIENCE);
  const usesFresh = (algorithm) =>
    blocks.some(({ cells }) => cells.some((cell) => cell.fresh && cell.algorithm === algorithm));
  const fresh = Object.fromEntries(
    ALGORITHMS.map((algorithm) => [algorithm, usesFresh(algorithm) ? FRESH * (pace.rounds + 1) : 0]),
  );
  const tokens = await makeTokens(issuer, keys, { repeated: 64, fresh });
  const bad = await badTokens(issuer, keys[0], forger);
  const database = await makeDatabase();
  if (!database) say('there is no PostgreSQL: what needs one is left out');
  return {
    issuer: issuer.url,
    tokens,
    bad,
    say,
    databaseUrl: database?.url,
    leave: async () => {
      issuer.stop();
      await database?.drop();
    },
  };
}

async function report(run) {
  const targets = judge(run);
  const machine = `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0].model.trim()}`;
  console.log(
    `\n${machine}; ${pace.rounds} interleaved rounds of ${pace.milliseconds} ms; 64 tokens in turn, 16 at a time where nothing else is said`,
  );
  for (const block of run.blocks) console.log(`\n${block.title}\n${blockTable(block)}`);
  console.log(`\n${targetTable(targets)}`);
  const folder = resolve(values.out);
  await mkdir(folder, { recursive: true });
  const results = { when: new Date().toISOString(), machine, pace, ...run, targets };
  await writeFile(join(folder, 'bench.json'), JSON.stringify(results, null, 1));
  console.log(`\n${join(folder, 'bench.json')}`);
}
