/** What MCP says that a result of a tool is, by the SDK's types of the specification. */
import { isSpecType } from '@modelcontextprotocol/server';

/** Member of `_meta` in which a server says who it is (MCP 2026-07-28). */
export { SERVER_INFO_META_KEY } from '@modelcontextprotocol/server';

/** A part of a result's content: of a kind that there is, with all that its kind needs. */
export const isContent: (value: unknown) => boolean = isSpecType.ContentBlock;

/** A result of `tools/call`, as clients take it. */
export const isToolResult: (value: unknown) => boolean = isSpecType.CallToolResult;
