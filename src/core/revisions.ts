/**
 * Revision of MCP with the per-request envelope. The SDK exports no constant for it; `mcp-types.ts` has the older
 * ones.
 */
export const MODERN_REVISION = '2026-07-28';
