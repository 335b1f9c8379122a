/** The common workload: every server has the same tools, requests and responses. */

export const AUDIENCE = 'https://gate.example.com/mcp';
export const SCOPE = 'database.read';
export const ALGORITHMS = ['RS256', 'ES256'];
export const LEGACY = '2025-11-25';
export const MODERN = '2026-07-28';

/** The result of the tool, which every response to a call must contain. */
export const ANSWER = 'done';

export const TOOL_DESCRIPTION = 'Read one customer by its identifier, with a number of its latest orders';
export const INPUT_PROPERTIES = {
  customer_id: { type: 'string', description: 'Identifier of the customer, for example 42' },
  limit: { type: 'integer', description: 'How many of the latest orders' },
};

export const toolNames = (count) => Array.from({ length: count }, (_, at) => `tool_${at}`);

/** A tool in the middle of the list. */
export const calledTool = (count) => `tool_${count >> 1}`;

/** The settings of a benchmark server from its environment. */
export function readJob(env = process.env) {
  return {
    port: Number(env.BENCH_PORT),
    issuer: env.BENCH_ISSUER,
    audience: AUDIENCE,
    tools: Number(env.BENCH_TOOLS),
  };
}

/**
 * A request without its token and id, as `head` and `body` around them.
 * @param method `tools/call` or `tools/list`
 * @param revision {@link LEGACY} or {@link MODERN}
 */
export function requestFor({ method, revision, tools }) {
  const called = method === 'tools/call' ? calledTool(tools) : undefined;
  const params = called ? { name: called, arguments: { customer_id: '42', limit: 5 } } : {};
  const isModern = revision === MODERN;
  if (isModern) {
    params._meta = {
      'io.modelcontextprotocol/protocolVersion': MODERN,
      'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
      'io.modelcontextprotocol/clientCapabilities': {},
    };
  }
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': revision,
    ...(isModern && { 'mcp-method': method, ...(called && { 'mcp-name': called }) }),
  };
  return { headers, message: { jsonrpc: '2.0', method, params } };
}
