/** Path of a claim: the name of a top-level claim, or a JSON Pointer (RFC 6901). Pure. */
import { isJsonObject } from './json.js';

/** `/a/b` or a name. A name with dots that is not a URL is rejected: it is probably a mistyped `/a/b`. */
const PATH = /^(\/(?:[^/~\p{Cc}]|~[01])+)+$|^https?:\/\/[^\s\p{Cc}]+$|^[^./\p{Cc}][^./\p{Cc}]*$/u;

export function isClaimPath(text: string): boolean {
  return PATH.test(text) && text.trim() === text;
}

/**
 * The value at `path`, or undefined. Follows own members of objects; does not enter arrays.
 * @param path must satisfy {@link isClaimPath}.
 */
export function readClaim(claims: Readonly<Record<string, unknown>>, path: string): unknown {
  const names = path.startsWith('/') ? path.slice(1).split('/').map(unescape) : [path];
  let value: unknown = claims;
  for (const name of names) {
    if (!isJsonObject(value)) return undefined;
    if (!Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** RFC 6901 section 4: `~1` first, so that `~01` becomes `~1`. */
function unescape(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}
