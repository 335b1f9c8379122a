/** Error code of an answer with both result and error (implementation-defined). */
import { isJsonObject, type JsonObject } from '../../lib/json.js';
export const CONTRADICTION = -31_002;

const ENVELOPE = ['result', 'error', 'method', 'params'] as const;
/**
 * Members of results that may be null for unset. `structuredContent` and `isError` belong to tools, others to lists
 * and handshakes.
 */
const OF_RESULT = [
  '_meta',
  'nextCursor',
  'isError',
  'structuredContent',
  'instructions',
  'capabilities',
  'serverInfo',
  'resultType',
  'ttlMs',
  'cacheScope',
];
/** Matches every text that {@link tolerant} could change, and some others. */
const CANDIDATE = /:\s*null\b|"protocolVersion"|"error"/;

/** True if parsing this JSON may be necessary. */
export function mayNeedTolerance(json: string): boolean {
  return CANDIDATE.test(json);
}

/** @returns the same message if it has no deviation. */
export function tolerant(message: JsonObject): JsonObject {
  const plain = withoutNulls(message, ENVELOPE);
  const { id, result, error } = plain;
  if (result !== undefined && error !== undefined && (typeof id === 'string' || typeof id === 'number')) {
    // Ambiguous: the error counts.
    return {
      jsonrpc: plain.jsonrpc,
      id,
      error: { code: CONTRADICTION, message: 'The answer contains both a result and an error' },
    };
  }
  const params = isJsonObject(plain.params) ? withoutNulls(plain.params, ['_meta']) : plain.params;
  const inner = isJsonObject(result) ? tolerantResult(result) : result;
  if (params === plain.params && inner === result) return plain;
  return { ...plain, ...(params !== undefined && { params }), ...(inner !== undefined && { result: inner }) };
}

function tolerantResult(given: JsonObject): JsonObject {
  const result = withoutNulls(given, OF_RESULT);
  if (typeof result.protocolVersion !== 'string') return result;
  const { capabilities = {}, serverInfo = {} } = result;
  return {
    ...result,
    capabilities: isJsonObject(capabilities)
      ? withoutNulls(capabilities, Object.keys(capabilities))
      : capabilities,
    serverInfo: isJsonObject(serverInfo) ? named(serverInfo) : serverInfo,
  };
}

/** Name and version are required; shown to the operator only. */
function named(info: JsonObject): JsonObject {
  const plain = withoutNulls(info, Object.keys(info));
  const { name, version } = plain;
  return {
    ...plain,
    name: typeof name === 'string' ? name : 'without a name',
    version: typeof version === 'string' || typeof version === 'number' ? String(version) : '',
  };
}

function withoutNulls(object: JsonObject, names: readonly string[]): JsonObject {
  const unset = names.filter((name) => object[name] === null);
  if (unset.length === 0) return object;
  return Object.fromEntries(Object.entries(object).filter(([name]) => !unset.includes(name)));
}
