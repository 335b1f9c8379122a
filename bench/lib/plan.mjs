/** What is measured against what: blocks of cells, whose rounds are interleaved. Pure. */
import { CONTESTANTS } from './contestants.mjs';
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
  const blocks = [
    block('ladder-legacy', `tools/call, ${LEGACY}`, all, {}),
    block('ladder-modern', `tools/call, ${MODERN}`, all, { revision: MODERN }),
    block('list-10', 'tools/list, 10 tools', quick ? CORE : all, { method: 'tools/list' }),
    block('list-100', 'tools/list, 100 tools', ['bare-jose', 'product', 'mcp-nest'], {
      method: 'tools/list',
      tools: 100,
    }),
    {
      id: 'call-by-tools',
      title: 'tools/call, by number of tools',
      cells: (quick ? [10, 1000] : [1, 10, 100, 1000]).flatMap((tools) =>
        (quick ? ['product'] : ['bare-jose', 'product', 'mcp-nest']).map((server) => cell(server, { tools })),
      ),
    },
    block('alone', 'one at a time', some, { concurrency: 1 }),
    block('crowd', '64 at a time', some, { concurrency: 64 }),
    block('es256', 'ES256', some, { algorithm: 'ES256' }),
    block('fresh-rs256', 'fresh tokens, RS256: each used once', some, { fresh: true }),
    ...(quick
      ? []
      : [block('fresh-es256', 'fresh tokens, ES256', CORE, { fresh: true, algorithm: 'ES256' })]),
    ...(quick
      ? []
      : [1, 1000].map((tools) =>
          block(`list-${tools}`, `tools/list, ${tools} tools`, ['bare-jose', 'product', 'mcp-nest'], {
            method: 'tools/list',
            tools,
          }),
        )),
    {
      id: 'workers',
      title: 'one process and two, 64 at a time',
      cells: (quick ? ['bare-jose', 'product-pg'] : ['bare-jose', 'product', 'product-pg']).flatMap(
        (server) => [1, 2].map((workers) => cell(server, { workers, concurrency: 64 })),
      ),
    },
  ];
  return blocks.map((one) => ({ ...one, cells: one.cells.filter(isPossible) }));
}

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
