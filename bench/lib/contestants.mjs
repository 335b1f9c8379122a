/** Who takes part: each a real server in a process of its own, and what it can. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../stage.mjs';
import { startServer } from './children.mjs';
import { ALGORITHMS, AUDIENCE, LEGACY, MODERN, toolNames } from './workload.mjs';

const BENCH = fileURLToPath(new URL('..', import.meta.url));
const BOTH = [LEGACY, MODERN];

/** `kind`: `limit`, `rung` or `peer`; `says`: what is on. */
export const CONTESTANTS = [
  {
    name: 'bare-open',
    kind: 'limit',
    file: 'rungs/bare.mjs',
    args: ['--open'],
    revisions: BOTH,
    says: 'node:http, no token check: what the load can drive',
  },
  {
    name: 'bare-jose',
    kind: 'rung',
    file: 'rungs/bare.mjs',
    revisions: BOTH,
    says: 'node:http, jose on every request, a look-up: 1.0',
  },
  {
    name: 'sdk',
    kind: 'rung',
    file: 'rungs/sdk.mjs',
    revisions: BOTH,
    says: 'SDK v2 on node:http, jose on every request',
  },
  { name: 'sdk+nest', kind: 'rung', file: 'rungs/nest.mjs', revisions: BOTH, says: 'the same behind Nest' },
  {
    name: '+token',
    kind: 'rung',
    file: 'rungs/nest.mjs',
    args: ['--token'],
    revisions: BOTH,
    says: "with the product's verifier in place of jose",
  },
  {
    name: '+decision',
    kind: 'rung',
    file: 'rungs/nest.mjs',
    args: ['--decision'],
    revisions: BOTH,
    says: "and the product's policy",
  },
  {
    name: 'product',
    kind: 'product',
    file: 'server.mjs',
    revisions: BOTH,
    says: 'everything on, and a durable record of each decision and each end',
  },
  {
    name: 'product-pg',
    kind: 'product',
    file: 'server.mjs',
    revisions: BOTH,
    database: true,
    says: 'the same with PostgreSQL: rates are counted there, for all instances together',
  },
  {
    name: 'mcp-nest',
    kind: 'peer',
    file: 'peers/mcp-nest.mjs',
    revisions: BOTH,
    says: '@rekog/mcp-nest, bearer guard with jose, no record',
  },
  {
    name: 'sdk-v1',
    kind: 'peer',
    file: 'peers/sdk-v1.mjs',
    revisions: [LEGACY],
    says: '@modelcontextprotocol/sdk, requireBearerAuth with jose, no record',
  },
  {
    name: 'fastmcp',
    kind: 'peer',
    file: 'peers/fastmcp.mjs',
    revisions: [LEGACY],
    says: 'fastmcp, authenticate with jose, no record',
  },
];

export const contestant = (name) => CONTESTANTS.find((one) => one.name === name);

/** Variables of the product, with everything on. */
export function productEnv({ port, issuer, folder, tools, databaseUrl }) {
  return {
    PORT: String(port),
    AUTH_ISSUER: issuer,
    AUTH_AUDIENCE: AUDIENCE,
    AUTH_ALGORITHMS: ALGORITHMS.join(','),
    TOOL_ALLOW_LIST: toolNames(tools).join(','),
    DATA_DIR: folder,
    // On, and counted at every request; so high that nobody is refused.
    RATE_LIMIT_PER_MINUTE: '1000000',
    LOG_LEVEL: 'warn',
    ...(databaseUrl && { DATABASE_URL: databaseUrl }),
  };
}

/**
 * Starts one of them with so many tools.
 * @param stage `issuer`: its URL; `databaseUrl`: of PostgreSQL, for those that want it.
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

/** The embedded database comes up in the background. */
async function ready(port) {
  for (let left = 600; left > 0; left--) {
    const status = await new Promise((resolve) => {
      get({ port, host: '127.0.0.1', path: '/health/ready', agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', () => resolve(0));
    });
    if (status === 200) return;
    await pause(100);
  }
  throw new Error('The product never became ready');
}

export function requireBuild() {
  if (!existsSync(join(BENCH, '../dist/main.js'))) throw new Error('There is no build: npm run build');
}
