/** Where a claim is: the name of a top-level one, or a JSON Pointer (RFC 6901) into one. Pure. */
import { isJsonObject } from './json.js';

/** `/a/b`, or a name; a name with dots that is no URL is most likely a `/a/b` meant otherwise. */
const PATH = /^(\/(?:[^/~\p{Cc}]|~[01])+)+$|^https?:\/\/[^\s\p{Cc}]+$|^[^./\p{Cc}][^./\p{Cc}]*$/u;

export function isClaimPath(text: string): boolean {
  return PATH.test(text) && text.trim() === text;
}

/**
 * The value there, or undefined. Members of objects are followed, and only their own; lists are not.
 * @param path one for which {@link isClaimPath} is true.
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

/** RFC 6901 section 4: `~1` first, so that `~01` is `~1`. */
function unescape(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}
