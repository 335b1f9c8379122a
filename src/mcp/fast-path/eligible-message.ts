/** The messages that need nothing of the SDK's: one answer, in one piece, and nothing said before it. Pure. */
import type { Message } from '../../core/request-context.js';
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import { LOG_LEVEL_META_KEY } from '../../core/mcp-types.js';

const CALL_MEMBERS = new Set(['name', 'arguments', '_meta']);
const LIST_MEMBERS = new Set(['_meta']);
/** What asks for more than an answer: to be told how far the work is, and what the tool logs. */
const STREAMING_META_KEYS = ['progressToken', LOG_LEVEL_META_KEY];

/** @param message that was found to be well-formed. */
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
