/** The `WWW-Authenticate` challenge (RFC 6750 section 3, RFC 9470, RFC 9728 section 5.1) and its only serializer. */

export interface Challenge {
  readonly error?:
    'invalid_request' | 'invalid_token' | 'insufficient_scope' | 'insufficient_user_authentication';
  readonly errorDescription?: string;
  readonly scope?: readonly string[];
  readonly resourceMetadata?: string;
  readonly acrValues?: readonly string[];
  readonly maxAge?: number;
}

/** Serializes a challenge; what a quoted-string cannot carry (quotes, backslashes, controls, non-ASCII) is dropped. */
export function serializeChallenge(challenge: Challenge): string {
  const parameters: string[] = [];
  const add = (name: string, value: string | undefined) => {
    if (value !== undefined) parameters.push(`${name}="${quotable(value)}"`);
  };
  add('error', challenge.error);
  add('error_description', challenge.errorDescription);
  add('scope', challenge.scope?.length ? challenge.scope.join(' ') : undefined);
  add('acr_values', challenge.acrValues?.join(' '));
  add('max_age', challenge.maxAge?.toString());
  add('resource_metadata', challenge.resourceMetadata);
  return parameters.length > 0 ? `Bearer ${parameters.join(', ')}` : 'Bearer';
}

function quotable(text: string): string {
  return text.replace(/[^\x20-\x7e]|["\\]/g, '');
}
