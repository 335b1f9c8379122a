/** Removes credentials from names and paths that callers choose. Pure. */

/** A JWT or JWE, complete or cut: its first part is base64url of `{"`. */
const JWT = /\beyJ[\w-]{16,}(\.[\w-]*)*/g;
/** A query parameter, or a similar text. */
const PARAMETER =
  /\b((?:access|refresh|id|subject|actor)_token|token|client_secret|client_assertion|password|code|assertion|api_?key)=[^&\s#]+/gi;

/** Opaque tokens without a known parameter name stay: they look like any other text. */
export function redactTokens(text: string): string {
  if (!text.includes('eyJ') && !text.includes('=')) return text;
  return text.replace(JWT, '[token]').replace(PARAMETER, '$1=[secret]');
}
