/** The compared servers and their features. Pure data. */
import { LEGACY, MODERN } from './workload.mjs';

const BOTH = [LEGACY, MODERN];

/** `kind`: `limit`, `rung` or `peer`; `says`: the active features. */
export const CONTESTANTS = [
  {
    name: 'bare-open',
    kind: 'limit',
    file: 'rungs/bare.mjs',
    args: ['--open'],
    revisions: BOTH,
    says: 'node:http, no token check: maximum of the load generator',
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
  { name: 'sdk+nest', kind: 'rung', file: 'rungs/nest.mjs', revisions: BOTH, says: 'the same with Nest' },
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
    says: "and with the product's policy",
  },
  {
    name: 'product',
    kind: 'product',
    file: 'server.mjs',
    revisions: BOTH,
    says: 'all features, with a durable record of each decision and outcome',
  },
  {
    name: 'product-pg',
    kind: 'product',
    file: 'server.mjs',
    revisions: BOTH,
    database: true,
    says: 'the same with PostgreSQL, which counts rates for all instances together',
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
