/**
 * Removes null members that are optional in the specification: clients in Go, Java and C# send null for unset
 * members. Later steps see the result. Pure.
 */
import { isJsonObject, type JsonObject } from '../lib/json.js';
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  RESERVED_META_PREFIX,
} from '../core/mcp-types.js';
/** The envelope of revision 2026-07-28 requires both: null is not absent. */
const REQUIRED_META = new Set<string>([PROTOCOL_VERSION_META_KEY, CLIENT_CAPABILITIES_META_KEY]);
const OPTIONAL_META = new Set(['progressToken', 'traceparent', 'tracestate', 'baggage']);
/** Members with values of any kind, including null. */
const OPEN_CAPABILITIES = new Set(['experimental', 'extensions']);
/** Roots have at most two levels, tasks four (MCP 2025-11-25, ClientCapabilities). */
const MAX_CAPABILITY_LEVELS = 4;

type Clean = (value: unknown) => unknown;

const CLIENT_INFO: Clean = (value) => without(value);
const CAPABILITIES: Clean = (value) => withoutCapabilities(value, MAX_CAPABILITY_LEVELS);
const META: Clean = (value) =>
  without(value, isOptionalMeta, {
    [CLIENT_INFO_META_KEY]: CLIENT_INFO,
    [CLIENT_CAPABILITIES_META_KEY]: CAPABILITIES,
  });
const PARAMS: Clean = (value) =>
  without(value, always, {
    _meta: META,
    clientInfo: CLIENT_INFO,
    capabilities: CAPABILITIES,
    context: (context) => without(context),
    ref: (ref) => without(ref),
    task: (task) => without(task),
    notifications: (filter) => without(filter),
  });

/**
 * @param body parsed message; it is not modified. `id`, `result`, `error` and members of `arguments`,
 * `inputResponses` and foreign metadata keep null.
 */
export function dropNullMembers(body: JsonObject): JsonObject {
  return without(body, (name) => name === 'params', { params: PARAMS }) as JsonObject;
}

/** The object without removable null members; the same object if it has none. */
function without(
  value: unknown,
  isOptional: (name: string) => boolean = always,
  inner: Readonly<Record<string, Clean>> = {},
): unknown {
  if (!isJsonObject(value)) return value;
  let changed: JsonObject | undefined;
  for (const name in value) {
    const before = value[name];
    if (before === null) {
      if (!isOptional(name)) continue;
      changed ??= { ...value };
      delete changed[name];
    } else if (Object.hasOwn(inner, name)) {
      const after = inner[name]?.(before);
      if (after === before) continue;
      changed ??= { ...value };
      changed[name] = after;
    }
  }
  return changed ?? value;
}

function withoutCapabilities(value: unknown, levels: number): unknown {
  if (!isJsonObject(value) || levels === 0) return value;
  const inner: Record<string, Clean> = {};
  for (const name in value) {
    if (!OPEN_CAPABILITIES.has(name)) inner[name] = (one) => withoutCapabilities(one, levels - 1);
  }
  return without(value, always, inner);
}

function isOptionalMeta(name: string): boolean {
  return OPTIONAL_META.has(name) || (name.startsWith(RESERVED_META_PREFIX) && !REQUIRED_META.has(name));
}

function always(): boolean {
  return true;
}
