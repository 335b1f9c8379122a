/** One spelling for one JSON value (RFC 8785), so that equal arguments have equal digests. Pure. */
import { hash } from 'node:crypto';
import type { JsonObject } from './json.js';

/** @param value anything that came out of `JSON.parse`. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `[${value.map(canonicalJson).join(',')}]`;
  return `{${canonicalMembers(value as JsonObject, sortedNames(value))}}`;
}

/**
 * Those of an object that have these names, in this order, as they stand between its braces.
 * @param textOf what is known of a member already.
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

/** By UTF-16 code units, as RFC 8785 wants it. */
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
