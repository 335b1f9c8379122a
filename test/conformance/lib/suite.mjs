/** The official suite: installation, a suitable Node.js, runs and results. */
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { install, isInstalled } from './packages.mjs';
import { runToEnd } from './processes.mjs';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));
const PACKAGE = join(FOLDER, 'node_modules/@modelcontextprotocol/conformance');
const COMMAND = join(PACKAGE, 'dist/index.js');

/** The suite imports `globSync` of `node:fs`, available since Node.js 22. */
const NEEDED_NODE = 22;
const OWN_NODE_WILL_DO = Number(process.versions.node.split('.')[0]) >= NEEDED_NODE;
const BUNDLED_NODE = join(FOLDER, `node_modules/node-linux-${process.arch}/bin/node`);

/** Installs the packages of the lock file unless they are installed already. */
export async function installSuite(signal) {
  // The bundled Node.js is a large optional package that only an older Node.js needs.
  if ((await isInstalled(FOLDER)) && (OWN_NODE_WILL_DO || existsSync(BUNDLED_NODE))) return;
  await install(FOLDER, { signal, options: OWN_NODE_WILL_DO ? ['--omit=optional'] : [] });
}

/** @throws Error if no available Node.js is recent enough. */
function nodeForSuite() {
  if (OWN_NODE_WILL_DO) return process.execPath;
  if (process.platform === 'linux' && existsSync(BUNDLED_NODE)) return BUNDLED_NODE;
  throw new Error(
    `The conformance suite needs Node.js ${NEEDED_NODE} or newer. This is ${process.version}. The bundled Node.js ` +
      `supports only Linux on x64 and arm64: run the suite with Node.js ${NEEDED_NODE} or newer.`,
  );
}

/**
 * Runs every scenario that a revision requires, and the unscored ones.
 * @param {{ url: string, revision: string, baseline?: string, results: string, log: string, signal: AbortSignal }}
 *   run
 * @returns {Promise<number>} the exit code of the suite: 0 on success.
 */
export function runSuite({ url, revision, baseline, results, log, signal }) {
  const expected = baseline ? ['--expected-failures', join(FOLDER, baseline)] : [];
  const options = ['--url', url, '--requirements', revision, '--output-dir', results, ...expected];
  return runToEnd([nodeForSuite(), COMMAND, 'server', ...options], { signal, log, anyExitCode: true });
}

/** The scenarios that a revision requires of a server, from the frozen list of the suite. */
export async function requiredScenarios(revision) {
  return listUnderServer(await readFile(join(PACKAGE, `requirements/${revision}.yaml`), 'utf8'));
}

/** The scenarios that a baseline expects to fail completely; `scenario:check` entries concern single checks. */
export async function expectedFailures(baseline) {
  if (!baseline) return [];
  return listUnderServer(await readFile(join(FOLDER, baseline), 'utf8')).filter(
    (entry) => !entry.includes(':'),
  );
}

/** Reads the list under `server:` in both kinds of file without a YAML parser. */
function listUnderServer(yaml) {
  const section = /^server:\n((?:[ \t]+.*\n|\n)*)/m.exec(yaml)?.[1] ?? '';
  return [...section.matchAll(/^ +- (\S+)$/gm)].map(([, entry]) => entry);
}

/**
 * The checks of every scenario in the results folder, by scenario.
 * @returns {Promise<Map<string, { status: string, name: string, errorMessage?: string }[]>>}
 */
export async function readChecks(results) {
  const checks = new Map();
  for (const folder of await readdir(results)) {
    const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(folder)?.[1];
    const file = join(results, folder, 'checks.json');
    if (scenario && existsSync(file)) checks.set(scenario, JSON.parse(await readFile(file, 'utf8')));
  }
  return checks;
}
