/** Selects messages with exactly one answer and no earlier notification. Pure. */
import type { Message } from '../../core/request-context.js';
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import { LOG_LEVEL_META_KEY } from '../../core/mcp-types.js';

const CALL_MEMBERS = new Set(['name', 'arguments', '_meta']);
const LIST_MEMBERS = new Set(['_meta']);
/** Metadata that requests progress or log messages. */
const STREAMING_META_KEYS = ['progressToken', LOG_LEVEL_META_KEY];

/** @param message a well-formed message. */
export function isFastPathEligible({ id, method, params, form }: Message): boolean {
  if (id === null || form === 'events') return false;
  switch (method) {
    case 'tools/call':
      return hasOnly(params, CALL_MEMBERS);
    case 'tools/list':
      return hasOnly(params, LIST_MEMBERS);
    default:
      return false;
  }
}

function hasOnly(params: JsonObject, members: ReadonlySet<string>): boolean {
  for (const name in params) if (!members.has(name)) return false;
  const meta = params._meta;
  return !isJsonObject(meta) || !STREAMING_META_KEYS.some((wish) => wish in meta);
}
