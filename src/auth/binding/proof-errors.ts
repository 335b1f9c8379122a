/** How a bad DPoP proof is refused: 401 with a challenge (RFC 9449 section 7.1). */
import { AppError } from '../../core/app-error.js';

/** @param message public, and in the challenge; never holds anything of the proof. */
export function refuseProof(message: string, cause?: unknown): AppError {
  return new AppError('token_binding', message, {
    status: 401,
    challenge: { error: 'invalid_dpop_proof', errorDescription: message },
    cause,
  });
}
