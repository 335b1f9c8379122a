/** Assigns profile samples to parts of the product. Pure functions. */

/** The first matching pattern counts. */
const GROUPS = [
  ['garbage collector', /^\(garbage collector\)$/],
  ['zod', /node_modules\/zod\//],
  ['MCP SDK', /node_modules\/@modelcontextprotocol\//],
  ['jose, node:crypto', /node_modules\/jose\/|node:(internal\/)?crypto/],
  [
    'Express, router, Nest',
    /node_modules\/(@nestjs|express|router|body-parser|finalhandler|send|qs|parseurl|path-to-regexp|rxjs|reflect-metadata|raw-body|type-is|accepts|content-type|proxy-addr|forwarded|etag|fresh|vary|on-finished|ee-first|statuses|http-errors|cors|negotiator|mime-types|iconv-lite)\//,
  ],
  [
    'logs (pino)',
    /node_modules\/(nestjs-pino|pino[^/]*|sonic-boom|thread-stream|quick-format-unescaped|safe-stable-stringify|@pinojs|on-exit-leak-free|process-warning)\//,
  ],
  [
    'input validation',
    /node_modules\/(class-validator|class-transformer|validator|libphonenumber-js|class-validator-jsonschema|ajv|ajv-formats|@cfworker)\//,
  ],
  [
    'rates and database',
    /node_modules\/(rate-limiter-flexible|pg[^/]*|kysely|@electric-sql|lru-cache)\/|\/dist\/(limits|storage|revocation)\//,
  ],
  [
    'metrics and traces',
    /node_modules\/(prom-client|tdigest|bintrees|@opentelemetry)\/|\/dist\/operations\//,
  ],
  ['audit', /\/dist\/(audit|sinks)\//],
  ['policy', /\/dist\/policy\//],
  ['token', /\/dist\/auth\//],
  ['bridge and front', /\/dist\/(mcp|common|lifecycle)\//],
  ['tools', /\/dist\/tools\/|\/bench\//],
  ['rest of the product', /\/dist\//],
  [
    'web Request and Response, abort signals',
    /node:internal\/(deps\/undici|webstreams|abort_controller|event_target|webidl|url|worker\/js_transferable)|node_modules\/(@hono|hono)\//,
  ],
  ['node:fs', /node:(internal\/)?fs/],
  ['async context (async_hooks)', /node:(internal\/)?async_hooks/],
  ['promises, ticks, timers', /node:(internal\/)?(process\/(task_queues|promises)|timers)/],
  ['native, outside JavaScript', /^\(program\)$/],
  [
    'node:http, net, streams, events',
    /node:(_http|http|net|events|buffer|stream|_stream|string_decoder|internal\/(http|net|stream|buffer|js_stream|dtrace))/,
  ],
  ['rest of Node', /^node:/],
];

/**
 * @param profile a V8 CPU profile
 * @returns microseconds of the main thread by group, without idle time; native functions count for the group of
 *   their caller
 */
export function groupProfile({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])));
  const groups = new Map();
  const groupOf = (id) => {
    if (groups.has(id)) return groups.get(id);
    const { url, functionName } = byId.get(id).callFrame;
    const own = nameOf(url || functionName);
    const parent = parents.get(id);
    const group = own ?? (parent === undefined ? 'other' : groupOf(parent));
    groups.set(id, group);
    return group;
  };
  const times = new Map();
  samples.forEach((id, at) => {
    if (byId.get(id).callFrame.functionName === '(idle)') return;
    const group = groupOf(id);
    times.set(group, (times.get(group) ?? 0) + Math.max(0, timeDeltas[at]));
  });
  return [...times].sort(([, one], [, other]) => other - one);
}

function nameOf(place) {
  if (place.includes('node_modules/')) {
    // For a package within a package, the innermost counts.
    const inner = place.slice(place.lastIndexOf('node_modules/'));
    return GROUPS.find(([, pattern]) => pattern.test(inner))?.[0] ?? 'other packages';
  }
  return GROUPS.find(([, pattern]) => pattern.test(place))?.[0];
}
