/** Who takes part: each a real server, and what it can. Pure. */
import { LEGACY, MODERN } from './workload.mjs';

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
