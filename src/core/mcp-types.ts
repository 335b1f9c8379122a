/** Constants and checks of MCP, from the SDK where it exports them. */
import { isSpecType, SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server';
import { MODERN_REVISION } from './revisions.js';

export {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  /** Revision of a client that sends no version header (MCP 2025-11-25, streamable HTTP). */
  DEFAULT_NEGOTIATED_PROTOCOL_VERSION,
  LOG_LEVEL_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  SERVER_INFO_META_KEY,
} from '@modelcontextprotocol/server';

/** Members of `_meta` with this prefix are reserved for the protocol. */
export const RESERVED_META_PREFIX = 'io.modelcontextprotocol/';

/** Revisions that `initialize` negotiates, the newest first. */
export const LEGACY_REVISIONS: readonly string[] = SUPPORTED_PROTOCOL_VERSIONS.filter(
  (revision) => revision < MODERN_REVISION,
);

/** All supported revisions. */
export const REVISIONS: ReadonlySet<string> = new Set([MODERN_REVISION, ...LEGACY_REVISIONS]);

/** True for a content block of a kind in the specification, with all required members. */
export const isContent: (value: unknown) => boolean = isSpecType.ContentBlock;

/** True for a valid result of `tools/call`. */
export const isToolResult: (value: unknown) => boolean = isSpecType.CallToolResult;
