/** Canonical JSON (RFC 8785): equal values have equal digests. Pure. */
import { hash } from 'node:crypto';
import type { JsonObject } from './json.js';

/** @param value result of `JSON.parse`. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `[${value.map(canonicalJson).join(',')}]`;
  return `{${canonicalMembers(value as JsonObject, sortedNames(value))}}`;
}

/**
 * Serializes the named members of an object in this order, without the braces.
 * @param textOf cached text of a member.
 */
export function canonicalMembers(
  object: JsonObject,
  names: readonly string[],
  textOf?: (part: object) => string | undefined,
): string {
  let text = '';
  for (const name of names) {
    const value = object[name];
    const known = typeof value === 'object' && value !== null ? textOf?.(value) : undefined;
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${known ?? canonicalJson(value)}`;
  }
  return text;
}

/** Sorted by UTF-16 code units (RFC 8785 section 3.2.3). */
export function sortedNames(object: object): string[] {
  const names = Object.keys(object);
  for (let at = 1; at < names.length; at++) {
    if ((names[at - 1] as string) > (names[at] as string)) return names.sort(byCodeUnits);
  }
  return names;
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : 1;
}

/** SHA-256 of the canonical JSON, in hexadecimal. */
export function digestOf(value: unknown): string {
  return hash('sha256', canonicalJson(value), 'hex');
}
