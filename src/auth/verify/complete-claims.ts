/** Completes an introspection response from the signed JWT. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Claims } from '../presets/presets.js';
import { invalidTokenError } from '../token-errors.js';

/** Claims about identity and presenter; different values are a contradiction. */
const IDENTITY = ['iss', 'sub', 'client_id', 'azp', 'act', 'cnf', 'jti'];

/**
 * @param answer claims of an active token (RFC 7662 section 2.2); they take precedence, except for a later expiry.
 * @param signed verified claims of the same token.
 * @throws AppError `token_claims` if both identify different principals.
 */
export function completeClaims(answer: Claims, signed: Claims): Claims {
  const differ = IDENTITY.filter(
    (name) =>
      answer[name] !== undefined &&
      signed[name] !== undefined &&
      !isDeepStrictEqual(answer[name], signed[name]),
  );
  if (differ.length > 0) {
    throw invalidTokenError(
      'token_claims',
      `The token and its introspection contradict each other (${differ.join(', ')})`,
    );
  }
  return { ...signed, ...answer, exp: earlier(answer.exp, signed.exp) };
}

/** A string stays unchanged: the check of times rejects it. */
function earlier(answered: unknown, signed: unknown): unknown {
  if (typeof answered !== 'number' || signed === undefined) return answered;
  return typeof signed === 'number' ? Math.min(answered, signed) : signed;
}
