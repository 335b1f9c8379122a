/** Strict parser for the JSON of DPoP proofs: two parsers cannot read different values. Pure. */
import { isJsonObject, type JsonObject } from '../../lib/json.js';

/** Names with a meaning in JavaScript; no header parameter or claim has them. */
const RESERVED = ['__proto__', 'constructor'];

/** A JSON string, and whether it is a member name. Exact for text that JSON.parse accepts. */
const STRING = /"(?:[^"\\]|\\.)*"(\s*:)?/g;

/**
 * Parses a JSON object in UTF-8 without repeated members (RFC 7515 section 4, RFC 7519 section 4).
 * @throws Error or SyntaxError for other bytes.
 */
export function parseStrictJsonObject(bytes: Uint8Array): JsonObject {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  const value: unknown = JSON.parse(text);
  if (!isJsonObject(value)) throw new TypeError('Not a JSON object');
  // JSON.parse keeps the last of repeated members silently, so the written names are counted.
  const written = [...text.matchAll(STRING)].filter(([, colon]) => colon !== undefined).length;
  if (written !== countMembers(value)) throw new TypeError('A member is named twice');
  return value;
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const names = Array.isArray(value) ? [] : Object.keys(value);
  if (names.some((name) => RESERVED.includes(name))) throw new TypeError('A member has a reserved name');
  return Object.values(value).reduce<number>((sum, inner) => sum + countMembers(inner), names.length);
}
