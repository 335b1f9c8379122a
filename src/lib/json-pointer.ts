/** @returns the referenced value; undefined if it does not exist or `reference` is not a local reference. */
import type { JsonObject } from './json.js';
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
