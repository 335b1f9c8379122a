/** The `WWW-Authenticate` challenge (RFC 6750 section 3, RFC 9449 section 7.1, RFC 9470, RFC 9728 section 5.1) and its only serializer. */

/** Presentation of an access token: as bearer, or with a proof of possession. */
export type AuthScheme = 'Bearer' | 'DPoP';

export interface Challenge {
  /** Set if the client must use another scheme than that of the request. */
  readonly scheme?: AuthScheme;
  readonly error?:
    | 'invalid_request'
    | 'invalid_token'
    | 'insufficient_scope'
    | 'insufficient_user_authentication'
    | 'invalid_dpop_proof'
    | 'use_dpop_nonce';
  readonly errorDescription?: string;
  readonly scope?: readonly string[];
  readonly resourceMetadata?: string;
  readonly acrValues?: readonly string[];
  readonly maxAge?: number;
  /** Accepted algorithms of proofs; part of the `DPoP` scheme only. */
  readonly algorithms?: readonly string[];
}

/**
 * Serializes a challenge. Drops characters that a quoted-string cannot contain: quotes, backslashes, controls,
 * non-ASCII.
 */
export function serializeChallenge(challenge: Challenge, scheme: AuthScheme): string {
  const parameters: string[] = [];
  const add = (name: string, value: string | undefined) => {
    if (value !== undefined) parameters.push(`${name}="${quotable(value)}"`);
  };
  add('error', challenge.error);
  add('error_description', challenge.errorDescription);
  add('scope', challenge.scope?.length ? challenge.scope.join(' ') : undefined);
  add('acr_values', challenge.acrValues?.length ? challenge.acrValues.join(' ') : undefined);
  add('max_age', challenge.maxAge?.toString());
  if (scheme === 'DPoP') add('algs', challenge.algorithms?.join(' '));
  add('resource_metadata', challenge.resourceMetadata);
  return parameters.length > 0 ? `${scheme} ${parameters.join(', ')}` : scheme;
}

function quotable(text: string): string {
  return text.replace(/[^\x20-\x7e]|["\\]/g, '');
}
