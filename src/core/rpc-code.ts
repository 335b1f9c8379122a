/** Error codes of JSON-RPC 2.0 (section 5.1) and MCP. Declared without the SDK, so that commands do not load it. */
export const RpcCode = {
  ParseError: -32700,
  InvalidRequest: -32600,
  MethodNotFound: -32601,
  InvalidParams: -32602,
  InternalError: -32603,
  /** Implementation-defined code for HTTP status 406. */
  NotAcceptable: -32000,
  /** Revisions up to 2025-11-25; 2026-07-28 forbids it. */
  ResourceNotFound: -32002,
  /** A header differs from the body (MCP 2026-07-28, streamable HTTP). */
  HeaderMismatch: -32020,
} as const;
