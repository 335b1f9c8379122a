/** What an introspection answer leaves out, taken from the token itself where that is a signed JWT. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Claims } from '../presets/presets.js';
import { invalidTokenError } from '../token-errors.js';

/** Claims that say whose the token is and who may present it: two different values are a contradiction. */
const IDENTITY = ['iss', 'sub', 'client_id', 'azp', 'act', 'cnf', 'jti'];

/**
 * @param answer claims of an active token (RFC 7662 section 2.2); what it says counts, but for a later end.
 * @param signed claims of the same token, whose signature was verified.
 * @throws AppError `token_claims` where both say whose the token is, and differ.
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

/** Of a text in the token nothing is made: the check of times refuses it. */
function earlier(answered: unknown, signed: unknown): unknown {
  if (typeof answered !== 'number' || signed === undefined) return answered;
  return typeof signed === 'number' ? Math.min(answered, signed) : signed;
}
