/** Whether `htu` names the address of the request (RFC 9449 section 4.3). Pure. */

/** RFC 3986, http and https, without userinfo: what the URL class would repair (`\`, spaces, tabs) is no URI. */
const URI =
  /^https?:\/\/(?:[\w\-.~!$&'()*+,;=:[\]]|%[\da-f]{2})+(?:[/?#](?:[\w\-.~!$&'()*+,;=:@/?#]|%[\da-f]{2})*)?$/i;

/** Compared after the normalisation of RFC 3986 sections 6.2.2 and 6.2.3, query and fragment left out. */
export function sameTarget(htu: string, url: string): boolean {
  const claimed = normalise(htu);
  return claimed !== undefined && claimed === normalise(url);
}

/** The URL class sees to case, default ports, dot segments and the empty path, but leaves percent-encodings as they are. */
function normalise(uri: string): string | undefined {
  if (!URI.test(uri)) return undefined;
  const text = uri.replace(/%[\da-f]{2}/gi, normalisePercent);
  if (!URL.canParse(text)) return undefined;
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname}`;
}

/** Unreserved characters stand for themselves; every other encoding is in upper case. */
function normalisePercent(encoded: string): string {
  const character = String.fromCharCode(parseInt(encoded.slice(1), 16));
  return /[\w\-.~]/.test(character) ? character : encoded.toUpperCase();
}
