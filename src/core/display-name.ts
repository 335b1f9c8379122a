/** The name of a person for display, as a token has it: never an identity, and never part of a decision. Pure. */
import { wellFormed } from '../lib/well-formed.js';
import { redactTokens } from '../lib/redact-tokens.js';

/** In UTF-16 code units. */
const MAX_LENGTH = 128;

/**
 * A text of one line and at most 128 characters, without control and format characters (such as those that turn the
 * direction of writing) and without what looks like a token. Undefined where nothing is left, or where it is no text.
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
