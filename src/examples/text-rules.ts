/** Rules for single-line text and plain e-mail addresses. */
import { isEmail } from 'class-validator';

export const MAX_ADDRESS_LENGTH = 254;

/**
 * A single address: no display name, list, comment or quoted part (which may contain line breaks), no `%` or `!`
 * routing. ASCII; other scripts as `xn--…`.
 */
export const PLAIN_ADDRESS = /^[A-Za-z0-9._+'=~-]+@[A-Za-z0-9.-]+$/;

export function isPlainAddress(text: unknown): text is string {
  return (
    typeof text === 'string' && text.length <= MAX_ADDRESS_LENGTH && PLAIN_ADDRESS.test(text) && isEmail(text)
  );
}

/** Not blank; without line breaks, control characters and lone surrogates. */
export function isOneLine(text: unknown): text is string {
  return typeof text === 'string' && /\S/.test(text) && !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text);
}
