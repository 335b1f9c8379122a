/** Display name of a user from a token. It is never an identity and takes no part in decisions. Pure. */
import { wellFormed } from '../lib/well-formed.js';
import { redactTokens } from '../lib/redact-tokens.js';

/** In UTF-16 code units. */
const MAX_LENGTH = 128;

/**
 * One line of at most 128 characters without control characters, format characters (such as changes of direction) and
 * tokens. Undefined if the value is not a string or is empty afterwards.
 */
export function displayName(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const plain = wellFormed(value.slice(0, 16 * MAX_LENGTH))
    .replace(/\p{Z}+/gu, ' ')
    .replace(/\p{C}/gu, '');
  const name = redactTokens(plain).trim();
  if (name === '') return undefined;
  return name.length > MAX_LENGTH ? `${wellFormed(name.slice(0, MAX_LENGTH - 1))}…` : name;
}
