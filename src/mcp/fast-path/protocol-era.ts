/**
 * Era of a plain, well-formed `tools/call` or `tools/list`, by its shape. Leaves other messages to the SDK; a test
 * compares both. Pure.
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  LEGACY_REVISIONS,
  PROTOCOL_VERSION_META_KEY,
} from '../../core/mcp-types.js';
import type { Message } from '../../core/request-context.js';
import { MODERN_REVISION } from '../../core/revisions.js';
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import type { McpHeaders } from '../parse-request.js';

const LEGACY = new Set(LEGACY_REVISIONS);

type Is = (value: unknown) => boolean;

/** Type of each member; other members are not permitted. */
type Shape = ReadonlyMap<string, Is>;

const TRACE: readonly (readonly [string, Is])[] = [
  ['traceparent', isText],
  ['tracestate', isText],
  ['baggage', isText],
];
const LEGACY_META: Shape = new Map(TRACE);
const CLIENT: Shape = new Map([
  ['name', isText],
  ['version', isText],
  ['title', isText],
]);
const CLIENT_CAPABILITIES: Shape = new Map([
  ['sampling', isEmpty],
  ['elicitation', isEmpty],
  ['roots', isEmpty],
]);
const MODERN_META: Shape = new Map([
  [PROTOCOL_VERSION_META_KEY, (value) => value === MODERN_REVISION],
  [
    CLIENT_INFO_META_KEY,
    (value) => hasShape(value, CLIENT) && value.name !== undefined && value.version !== undefined,
  ],
  [CLIENT_CAPABILITIES_META_KEY, (value) => hasShape(value, CLIENT_CAPABILITIES)],
  ...TRACE,
]);
const BODY: Shape = new Map([
  ['jsonrpc', (value) => value === '2.0'],
  ['id', (value) => isText(value) || Number.isSafeInteger(value)],
  ['method', isText],
  ['params', isJsonObject],
]);
const CALL: Shape = new Map([
  ['name', isText],
  ['arguments', isJsonObject],
  ['_meta', isJsonObject],
]);
const LIST: Shape = new Map([['_meta', isJsonObject]]);

/** @param body parsed JSON. @returns undefined: the SDK decides. */
export function detectProtocolEra(headers: McpHeaders, body: JsonObject): Message['era'] | undefined {
  const { id, jsonrpc, method, params } = body;
  if (!hasShape(body, BODY) || id === undefined || jsonrpc === undefined || !isPlainCall(method, params))
    return undefined;
  const { _meta } = params as JsonObject;
  if (headers.protocolVersion === MODERN_REVISION) {
    const isWhole =
      hasShape(_meta, MODERN_META) &&
      PROTOCOL_VERSION_META_KEY in _meta &&
      CLIENT_CAPABILITIES_META_KEY in _meta;
    return isWhole && headers.method === method ? 'modern' : undefined;
  }
  const isKnown = headers.protocolVersion === undefined || LEGACY.has(headers.protocolVersion);
  return isKnown && (_meta === undefined || hasShape(_meta, LEGACY_META)) ? 'legacy' : undefined;
}

function isPlainCall(method: unknown, params: unknown): boolean {
  if (method === 'tools/call') return hasShape(params, CALL) && params.name !== undefined;
  return method === 'tools/list' && hasShape(params, LIST);
}

function hasShape(value: unknown, shape: Shape): value is JsonObject {
  if (!isJsonObject(value)) return false;
  for (const name in value) {
    const is = shape.get(name);
    if (!is?.(value[name])) return false;
  }
  return true;
}

function isEmpty(value: unknown): boolean {
  if (!isJsonObject(value)) return false;
  for (const _name in value) return false;
  return true;
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}
