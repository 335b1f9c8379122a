/** Time from the start of a process to its first response with 200; a new process each time, in turns. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../stage.mjs';
import { productEnv } from './contestants.mjs';
import { ask } from './door.mjs';
import { LEGACY, requestFor } from './workload.mjs';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const EMPTY = fileURLToPath(new URL('../rungs/empty-nest.mjs', import.meta.url));
const POLL_MS = 4;
const DEADLINE_MS = 60_000;

/**
 * @param stage `issuer`, `databaseUrl`, `tokens`
 * @param embeddedRounds rounds with the embedded database, which creates its files each time and is slow
 * @returns milliseconds of each round by name; for the product, `dist/main` until its first list
 */
export async function coldStarts(stage, rounds, embeddedRounds) {
  const token = stage.tokens.RS256.repeated[0];
  const list = requestFor({ method: 'tools/list', revision: LEGACY, tools: 0 });
  const product = (databaseUrl) => ({
    file: MAIN,
    env: (port, folder) => ({
      ...productEnv({ port, issuer: stage.issuer, folder, tools: 1, databaseUrl }),
      TOOL_ALLOW_LIST: '*',
      SHUTDOWN_DRAIN_SECONDS: '0',
    }),
    isUp: async (port) => (await ask(port, token, list)).status === 200,
  });
  const contestants = {
    'empty-nest': { file: EMPTY, env: (port) => ({ PORT: String(port) }), isUp: isAnswering },
    ...(stage.databaseUrl && { 'product, PostgreSQL': product(stage.databaseUrl) }),
  };
  const embedded = product(undefined);
  const times = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  // The first round fills the file system caches and creates the database tables.
  for (let round = -1; round < rounds; round++) {
    for (const [name, one] of Object.entries(contestants)) {
      const time = await startOnce(one);
      if (round >= 0) times[name].push(time);
    }
  }
  times['product, embedded'] = [];
  for (let round = 0; round < embeddedRounds; round++)
    times['product, embedded'].push(await startOnce(embedded));
  return times;
}

async function startOnce({ file, env, isUp }) {
  const [port, folder] = [await freePort(), await mkdtemp(join(tmpdir(), 'bench-start-'))];
  const started = performance.now();
  const child = spawn(process.execPath, [file], {
    env: { PATH: process.env.PATH, ...env(port, folder) },
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);
  try {
    while (!(await isUp(port))) {
      if (child.exitCode !== null) throw new Error(`${file} ended with ${child.exitCode}`);
      if (performance.now() - started > DEADLINE_MS) throw new Error(`${file} never responded`);
      await pause(POLL_MS);
    }
    return performance.now() - started;
  } finally {
    child.kill('SIGKILL');
    await ended;
    process.off('exit', killed);
    await rm(folder, { recursive: true, force: true });
  }
}

function isAnswering(port) {
  return new Promise((resolve) => {
    get({ port, host: '127.0.0.1', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on('error', () => resolve(false));
  });
}
