/** A reference within one JSON document: `#`, or `#` and a JSON Pointer (RFC 6901 section 6). Pure. */
import type { JsonObject } from '../core/request-context.js';

/** @returns the value that `reference` names; undefined where there is none, or where it is no such reference. */
export function referredTo(root: JsonObject, reference: string): unknown {
  if (!reference.startsWith('#')) return undefined;
  let path: string;
  try {
    path = decodeURIComponent(reference.slice(1));
  } catch {
    return undefined;
  }
  if (path !== '' && !path.startsWith('/')) return undefined;
  let at: unknown = root;
  for (const step of path.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as JsonObject)[name];
  }
  return at;
}
