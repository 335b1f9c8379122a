/** How a bad token is refused: 401 with a challenge (RFC 6750 section 3.1). */
import { AppError } from '../core/app-error.js';
import type { AuthScheme } from '../core/challenge.js';
import type { Reason } from '../core/reasons.js';

export type TokenReason = Extract<Reason, `token_${string}`>;

/**
 * @param message public, and in the challenge; never holds anything of the token.
 * @param scheme where the token would be good in another scheme than the one that it was sent in.
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

/** The issuer cannot be asked. Not the caller's fault, and so never a 401. */
export function identityUnavailable(cause: unknown): AppError {
  return new AppError('identity_unavailable', 'The identity provider cannot be reached', {
    status: 503,
    retryAfterSeconds: 5,
    cause,
  });
}
