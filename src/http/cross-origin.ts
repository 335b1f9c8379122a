/** Request headers that a page of an allowed origin may send (Fetch standard, CORS). Pure. */

/** Headers of the transport (MCP, streamable HTTP, all revisions), of the token and of the trace. */
const TRANSPORT = [
  'Authorization',
  'DPoP',
  'Content-Type',
  'Accept',
  'MCP-Protocol-Version',
  'Mcp-Session-Id',
  'Last-Event-ID',
  'Mcp-Method',
  'Mcp-Name',
  'Traceparent',
  'Tracestate',
  'Baggage',
];
/** Mirrors of tool arguments (MCP 2026-07-28, streamable HTTP); each tool defines its own. */
const PARAMETER = /^mcp-param-[\w!#$%&'*+.^`|~-]+$/i;

/** @param requested value of `Access-Control-Request-Headers`. */
export function allowedHeaders(requested: string | undefined): string[] {
  const names = (requested ?? '').split(',').map((name) => name.trim());
  return [...TRANSPORT, ...new Set(names.filter((name) => PARAMETER.test(name)))];
}
