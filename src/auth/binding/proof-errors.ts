/** Error for an invalid DPoP proof: 401 with a challenge (RFC 9449 section 7.1). */
import { AppError } from '../../core/app-error.js';

/** @param message public, part of the challenge. It must not contain data of the proof. */
export function refuseProof(message: string, cause?: unknown): AppError {
  return new AppError('token_binding', message, {
    status: 401,
    challenge: { error: 'invalid_dpop_proof', errorDescription: message },
    cause,
  });
}
