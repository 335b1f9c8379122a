/** The two JSON texts of a DPoP proof, read so that no two readers can see different things in them. Pure. */
import { isJsonObject, type JsonObject } from '../../lib/json.js';

/** Names with a meaning to JavaScript, which no header and no claim has. */
const RESERVED = ['__proto__', 'constructor'];

/** A string of JSON, and whether it names a member. Exact on text that JSON.parse has accepted. */
const STRING = /"(?:[^"\\]|\\.)*"(\s*:)?/g;

/**
 * One JSON object in UTF-8, no member of it named twice (RFC 7515 section 4, RFC 7519 section 4).
 * @throws of any kind where the bytes are anything else.
 */
export function parseStrictJsonObject(bytes: Uint8Array): JsonObject {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  const value: unknown = JSON.parse(text);
  if (!isJsonObject(value)) throw new TypeError('Not a JSON object');
  // JSON.parse keeps the last of two members and does not tell: the names that were written are counted instead.
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
