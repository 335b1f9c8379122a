/** Compares `htu` with the address of the request (RFC 9449 section 4.3). Pure. */

/** RFC 3986, http and https, without userinfo. The URL class would repair `\`, spaces and tabs. */
const URI =
  /^https?:\/\/(?:[\w\-.~!$&'()*+,;=:[\]]|%[\da-f]{2})+(?:[/?#](?:[\w\-.~!$&'()*+,;=:@/?#]|%[\da-f]{2})*)?$/i;

/** Compares after normalization (RFC 3986 sections 6.2.2 and 6.2.3), without query and fragment. */
export function sameTarget(htu: string, url: string): boolean {
  const claimed = normalise(htu);
  return claimed !== undefined && claimed === normalise(url);
}

/**
 * The URL class normalizes case, default ports, dot segments and the empty path. It does not normalize
 * percent-encodings.
 */
function normalise(uri: string): string | undefined {
  if (!URI.test(uri)) return undefined;
  const text = uri.replace(/%[\da-f]{2}/gi, normalisePercent);
  if (!URL.canParse(text)) return undefined;
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname}`;
}

/** Decodes unreserved characters; other encodings become upper case. */
function normalisePercent(encoded: string): string {
  const character = String.fromCharCode(parseInt(encoded.slice(1), 16));
  return /[\w\-.~]/.test(character) ? character : encoded.toUpperCase();
}
