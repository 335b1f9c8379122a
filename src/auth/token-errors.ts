/** Error for an invalid token: 401 with a challenge (RFC 6750 section 3.1). */
import { AppError } from '../core/app-error.js';
import type { AuthScheme } from '../core/challenge.js';
import type { Reason } from '../core/reasons.js';

export type TokenReason = Extract<Reason, `token_${string}`>;

/**
 * @param message public, part of the challenge. It must not contain data of the token.
 * @param scheme the other scheme in which the token would be valid.
 */
export function invalidTokenError(
  code: TokenReason,
  message: string,
  cause?: unknown,
  scheme?: AuthScheme,
): AppError {
  return new AppError(code, message, {
    status: 401,
    challenge: { ...(scheme && { scheme }), error: 'invalid_token', errorDescription: message },
    cause,
  });
}

/** The issuer is unavailable. The caller is not at fault, so the status is never 401. */
export function identityUnavailable(cause: unknown): AppError {
  return new AppError('identity_unavailable', 'The identity provider cannot be reached', {
    status: 503,
    retryAfterSeconds: 5,
    cause,
  });
}
