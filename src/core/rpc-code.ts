/** Error codes of JSON-RPC 2.0 (section 5.1) and of MCP. Declared without the SDK, so that commands need not load it. */
export const RpcCode = {
  ParseError: -32700,
  InvalidRequest: -32600,
  MethodNotFound: -32601,
  InvalidParams: -32602,
  InternalError: -32603,
  /** An implementation-defined code; the HTTP status 406 has no code of its own. */
  NotAcceptable: -32000,
  /** Revisions up to 2025-11-25; 2026-07-28 forbids it. */
  ResourceNotFound: -32002,
  /** A header that contradicts the body (MCP 2026-07-28, streamable HTTP). */
  HeaderMismatch: -32020,
} as const;
