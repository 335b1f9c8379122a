/** What callers put into names and paths, with whatever looks like a credential taken out. Pure. */

/** A JWT or JWE, whole or in part: its first part is base64url of `{"`. */
const JWT = /\beyJ[\w-]{16,}(\.[\w-]*)*/g;
/** In a query, or what looks like one. */
const PARAMETER =
  /\b((?:access|refresh|id|subject|actor)_token|token|client_secret|client_assertion|password|code|assertion|api_?key)=[^&\s#]+/gi;

/** Opaque tokens that are not named as such cannot be told from other texts, and stay. */
export function redactTokens(text: string): string {
  if (!text.includes('eyJ') && !text.includes('=')) return text;
  return text.replace(JWT, '[token]').replace(PARAMETER, '$1=[secret]');
}
