/** What may stand in one line of text, and what is one plain e-mail address. */
import { isEmail } from 'class-validator';

export const MAX_ADDRESS_LENGTH = 254;

/**
 * One address and nothing else: no display name, no list, no comment, no quoted part (which may hold line breaks), no
 * `%` or `!` that asks a mail server to route on. ASCII; a domain in another script is written as `xn--…`.
 */
export const PLAIN_ADDRESS = /^[A-Za-z0-9._+'=~-]+@[A-Za-z0-9.-]+$/;

export function isPlainAddress(text: unknown): text is string {
  return (
    typeof text === 'string' && text.length <= MAX_ADDRESS_LENGTH && PLAIN_ADDRESS.test(text) && isEmail(text)
  );
}

/** Neither blank, nor with line breaks, other control characters, or halves of a surrogate pair. */
export function isOneLine(text: unknown): text is string {
  return typeof text === 'string' && /\S/.test(text) && !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text);
}
