/** The measurement plan: blocks of cells with interleaved rounds. Pure functions. */
import { CONTESTANTS } from './roster.mjs';
import { LEGACY, MODERN } from './workload.mjs';

const BASE = {
  method: 'tools/call',
  revision: LEGACY,
  algorithm: 'RS256',
  fresh: false,
  tools: 10,
  concurrency: 16,
  workers: 1,
};
const CORE = ['bare-jose', 'product', 'product-pg', 'mcp-nest'];
const SHORT = ['bare-jose', 'product'];

/**
 * @param quick fewer cells: those with a target, and one step in each direction.
 * @returns blocks with a title and cells; a cell names its server and the request.
 */
export function plan(quick) {
  const all = CONTESTANTS.map(({ name }) => name);
  const some = quick ? SHORT : CORE;
  const three = ['bare-jose', 'product', 'mcp-nest'];
  // Blocks with a target come first; the others are skipped when time runs out.
  const blocks = [
    wanted(block('ladder-legacy', `tools/call, ${LEGACY}`, all, {})),
    wanted(
      block('ladder-modern', `tools/call, ${MODERN}`, quick ? ['sdk', ...CORE] : all, { revision: MODERN }),
    ),
    wanted(block('list-100', 'tools/list, 100 tools', three, { method: 'tools/list', tools: 100 })),
    wanted({
      id: 'call-by-tools',
      title: 'tools/call, by number of tools',
      cells: (quick ? [10, 1000] : [1, 10, 100, 1000]).flatMap((tools) =>
        (quick ? ['product'] : three).map((server) => cell(server, { tools })),
      ),
    }),
    block('alone', 'one request at a time', some, { concurrency: 1 }),
    block('crowd', '64 concurrent requests', some, { concurrency: 64 }),
    block('es256', 'ES256', some, { algorithm: 'ES256' }),
    block('fresh-rs256', 'fresh tokens, RS256, each used once', some, { fresh: true }),
    {
      id: 'workers',
      title: 'one and two processes, 64 concurrent requests',
      cells: (quick ? ['bare-jose', 'product-pg'] : ['bare-jose', 'product', 'product-pg']).flatMap(
        (server) => [1, 2].map((workers) => cell(server, { workers, concurrency: 64 })),
      ),
    },
    ...(quick ? [] : more(all, three)),
  ];
  return blocks.map((one) => ({ ...one, cells: one.cells.filter(isPossible) }));
}

/** Blocks that `--quick` omits. */
function more(all, three) {
  return [
    block('fresh-es256', 'fresh tokens, ES256', CORE, { fresh: true, algorithm: 'ES256' }),
    block('list-10', 'tools/list, 10 tools', all, { method: 'tools/list' }),
    block('list-1', 'tools/list, 1 tool', three, { method: 'tools/list', tools: 1 }),
    block('list-1000', 'tools/list, 1,000 tools', three, { method: 'tools/list', tools: 1000 }),
    block('list-100-modern', `tools/list, 100 tools, ${MODERN}`, three, {
      method: 'tools/list',
      tools: 100,
      revision: MODERN,
    }),
  ];
}

/** The cells of the regression check, by role. */
export function gatePlan() {
  // Enough tools to show a cost that grows with their number.
  const tools = 100;
  const cells = [
    { ...cell('bare-jose', { tools }), role: 'bare' },
    { ...cell('sdk', {}), role: 'sdk' },
    { ...cell('product', { tools }), role: 'legacy' },
    { ...cell('product', { tools, revision: MODERN }), role: 'modern' },
    { ...cell('product', { tools, method: 'tools/list' }), role: 'list' },
  ];
  return { id: 'gate', title: 'regression check', cells, isWanted: true };
}

const wanted = (one) => ({ ...one, isWanted: true });

function block(id, title, servers, what) {
  return { id, title, cells: servers.map((server) => cell(server, what)) };
}

const cell = (server, what) => ({ server, ...BASE, ...what });

function isPossible({ server, revision }) {
  return CONTESTANTS.find(({ name }) => name === server).revisions.includes(revision);
}

/** Identifies a server process, so that the same one is not started twice. */
export const serverKey = ({ server, tools }, worker = 0) => `${server}/${tools}/${worker}`;

/** All server processes of a cell. */
export const serverKeys = (one) => Array.from({ length: one.workers }, (_, worker) => serverKey(one, worker));
