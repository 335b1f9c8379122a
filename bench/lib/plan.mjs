/** What is measured against what: blocks of cells, whose rounds are interleaved. Pure. */
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
 * @param quick fewer cells: what the targets are about, and one step in each direction.
 * @returns blocks, each with a title and cells; a cell names its server, and says what is asked of it.
 */
export function plan(quick) {
  const all = CONTESTANTS.map(({ name }) => name);
  const some = quick ? SHORT : CORE;
  const three = ['bare-jose', 'product', 'mcp-nest'];
  // Those that a target is about come first: the others are left out where there is no time.
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
    block('alone', 'one at a time', some, { concurrency: 1 }),
    block('crowd', '64 at a time', some, { concurrency: 64 }),
    block('es256', 'ES256', some, { algorithm: 'ES256' }),
    block('fresh-rs256', 'fresh tokens, RS256: each used once', some, { fresh: true }),
    {
      id: 'workers',
      title: 'one process and two, 64 at a time',
      cells: (quick ? ['bare-jose', 'product-pg'] : ['bare-jose', 'product', 'product-pg']).flatMap(
        (server) => [1, 2].map((workers) => cell(server, { workers, concurrency: 64 })),
      ),
    },
    ...(quick ? [] : more(all, three)),
  ];
  return blocks.map((one) => ({ ...one, cells: one.cells.filter(isPossible) }));
}

/** What takes longer than a quick look may. */
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

/** The few cells that the gate looks at, by the role that each plays there. */
export function gatePlan() {
  // So many that a call which looks at all of them is seen.
  const tools = 100;
  const cells = [
    { ...cell('bare-jose', { tools }), role: 'bare' },
    { ...cell('sdk', {}), role: 'sdk' },
    { ...cell('product', { tools }), role: 'legacy' },
    { ...cell('product', { tools, revision: MODERN }), role: 'modern' },
    { ...cell('product', { tools, method: 'tools/list' }), role: 'list' },
  ];
  return { id: 'gate', title: 'the gate', cells, isWanted: true };
}

const wanted = (one) => ({ ...one, isWanted: true });

function block(id, title, servers, what) {
  return { id, title, cells: servers.map((server) => cell(server, what)) };
}

const cell = (server, what) => ({ server, ...BASE, ...what });

function isPossible({ server, revision }) {
  return CONTESTANTS.find(({ name }) => name === server).revisions.includes(revision);
}

/** What a server is started for: the same one is never started twice. */
export const serverKey = ({ server, tools }, worker = 0) => `${server}/${tools}/${worker}`;

/** Every server that a cell is sent to. */
export const serverKeys = (one) => Array.from({ length: one.workers }, (_, worker) => serverKey(one, worker));
