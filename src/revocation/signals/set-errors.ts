/** Error response of a delivery: 400 with an error code (RFC 8935 section 2.3). */
import { AppError, type AppErrorOptions } from '../../core/app-error.js';
import type { Reason } from '../../core/reasons.js';

/** RFC 8935 section 2.4. */
export type SetError =
  | 'invalid_request'
  | 'invalid_key'
  | 'invalid_issuer'
  | 'invalid_audience'
  | 'authentication_failed'
  | 'access_denied';

/**
 * @param description public; without data of the token.
 * @param reason recorded reason.
 */
export function invalidSetError(
  err: SetError,
  description: string,
  reason: Reason,
  options: Partial<AppErrorOptions> = {},
): AppError {
  return new AppError(reason, description, {
    status: 400,
    ...options,
    headers: { 'content-language': 'en', ...options.headers },
    body: { err, description },
  });
}
