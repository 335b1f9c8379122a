/**
 * `npm run test:conformance`: runs the official MCP conformance suite against this server for both revisions.
 *
 *   suite ── http://localhost:P ──> proxy, adds the token ──> server with the fixtures ──> issuer
 *
 * `results/` holds the output of the suite and the server. The last line is `N passed, N failed`. The exit code is 0
 * if every required scenario passes or fails as the baseline of its revision expects.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { forkUntilReady, runToEnd } from './lib/processes.mjs';
import { startProxy } from './lib/proxy.mjs';
import { expectedFailures, installSuite, readChecks, requiredScenarios, runSuite } from './lib/suite.mjs';
import { count, verdictsOf, summarize } from './lib/verdicts.mjs';

const REVISIONS = [
  { revision: '2026-07-28', required: 37, baseline: undefined },
  { revision: '2025-11-25', required: 30, baseline: 'expected-failures-2025-11-25.yml' },
];

const DEADLINE_MS = 15 * 60_000;
const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const RESULTS = join(FOLDER, 'results');
// Placed beside `dist`, so that compiled modules resolve the packages of the server, not those of the suite.
const BUILD = join(FOLDER, '../../dist-conformance');

const deadline = new AbortController();
setTimeout(() => deadline.abort(new Error('The conformance run exceeded its deadline')), DEADLINE_MS).unref();
for (const name of ['SIGINT', 'SIGTERM']) {
  process.once(name, () => deadline.abort(new Error(`Stopped by ${name}`)));
}

/** Pending cleanup functions; they run in reverse order. */
const cleanups = [];
const totals = { passed: 0, failed: 0 };
try {
  await main(deadline.signal);
} catch (error) {
  console.error(deadline.signal.aborted ? deadline.signal.reason.message : error);
  totals.failed = REVISIONS.reduce((sum, { required }) => sum + required, 0) - totals.passed;
} finally {
  for (const cleanUp of cleanups.reverse()) await cleanUp();
}
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed === 0 ? 0 : 1;

async function main(signal) {
  await installSuite(signal);
  await rm(RESULTS, { recursive: true, force: true });
  await mkdir(RESULTS);
  await compileServer(signal);
  const origin = await startServer(signal);
  for (const revision of REVISIONS) await runRevision(revision, `${origin}/mcp`, signal);
}

async function compileServer(signal) {
  cleanups.push(() => rm(BUILD, { recursive: true, force: true }));
  await rm(BUILD, { recursive: true, force: true });
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  await runToEnd([process.execPath, tsc, '--project', FOLDER], { signal });
}

/** Starts the server behind the proxy, whose origin is the public origin. */
async function startServer(signal) {
  const proxy = await startProxy();
  cleanups.push(() => proxy.close());
  const dataDir = await mkdtemp(join(tmpdir(), 'conformance-'));
  cleanups.push(() => rm(dataDir, { recursive: true, force: true }));
  const entry = join(BUILD, 'test/conformance/server.js');
  const server = await forkUntilReady(entry, [proxy.origin, dataDir], {
    signal,
    log: join(RESULTS, 'server.log'),
  });
  cleanups.push(() => server.stop());
  proxy.forwardTo(server.ready);
  await requireLockedDoor(server.ready.port, signal);
  return proxy.origin;
}

/** Checks that the server requires a token (401), because an open server would pass the suite too. */
async function requireLockedDoor(port, signal) {
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
  const { status } = await fetch(`http://localhost:${port}/mcp`, { method: 'POST', headers, body, signal });
  if (status !== 401) throw new Error(`A request without a token was answered with ${status}, not with 401`);
}

/** Runs one revision and adds its results to the totals. */
async function runRevision({ revision, required, baseline }, url, signal) {
  const scenarios = await requiredScenarios(revision);
  if (scenarios.length !== required) {
    throw new Error(`${revision} requires ${scenarios.length} scenarios, not ${required}`);
  }
  const results = join(RESULTS, revision);
  const exitCode = await runSuite({ url, revision, baseline, results, log: `${results}.log`, signal });
  const verdicts = verdictsOf(scenarios, await readChecks(results), await expectedFailures(baseline));
  const { passed, failed } = count(verdicts);
  console.log(['', ...summarize(revision, verdicts)].join('\n'));
  totals.passed += passed;
  totals.failed += failed;
  if (exitCode !== 0 && failed === 0) {
    console.log(`  The suite reports a failure (exit code ${exitCode}): see results/${revision}.log`);
    totals.failed += 1;
  }
}
