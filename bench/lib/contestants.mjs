/** Starts the compared servers, each in its own process. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../stage.mjs';
import { startServer } from './children.mjs';
import { ALGORITHMS, AUDIENCE, toolNames } from './workload.mjs';

const BENCH = fileURLToPath(new URL('..', import.meta.url));
/** Variables of the product with all features on. */
export function productEnv({ port, issuer, folder, tools, databaseUrl }) {
  return {
    PORT: String(port),
    AUTH_ISSUER: issuer,
    AUTH_AUDIENCE: AUDIENCE,
    AUTH_ALGORITHMS: ALGORITHMS.join(','),
    TOOL_ALLOW_LIST: toolNames(tools).join(','),
    DATA_DIR: folder,
    // Counted at every request, with a limit that rejects none.
    RATE_LIMIT_PER_MINUTE: '1000000',
    LOG_LEVEL: 'warn',
    ...(databaseUrl && { DATABASE_URL: databaseUrl }),
  };
}

/**
 * Starts one server with this number of tools.
 * @param stage `issuer`: its URL; `databaseUrl`: the PostgreSQL URL for servers that need it.
 */
export async function startContestant(one, { tools, issuer, databaseUrl, nodeArgs }) {
  const port = await freePort();
  const isProduct = one.kind === 'product';
  const folder = await mkdtemp(join(tmpdir(), 'bench-ladder-'));
  const product = productEnv({
    port,
    issuer,
    folder,
    tools,
    databaseUrl: one.database ? databaseUrl : undefined,
  });
  const env = { ...product, BENCH_PORT: String(port), BENCH_ISSUER: issuer, BENCH_TOOLS: String(tools) };
  const server = await startServer(join(BENCH, one.file), { args: one.args, env, nodeArgs });
  if (isProduct) await ready(port);
  await pause(100);
  const { rss } = await server.figures(true);
  return {
    ...one,
    ...server,
    tools,
    port,
    idle: rss,
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Waits for readiness, because the embedded database starts in the background. */
async function ready(port) {
  for (let left = 1800; left > 0; left--) {
    const status = await new Promise((resolve) => {
      get({ port, host: '127.0.0.1', path: '/health/ready', agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', () => resolve(0));
    });
    if (status === 200) return;
    await pause(100);
  }
  throw new Error('The product did not become ready');
}

export function requireBuild() {
  if (!existsSync(join(BENCH, '../dist/main.js')))
    throw new Error('dist/main.js is missing: run npm run build');
}
