/** Authenticates the transmitter of a delivery before the token is verified. Pure. */
import type { UnverifiedJwt } from '../../auth/verify/read-jwt.js';
import { timingSafeStringEqual } from '../../lib/timing-safe-string-equal.js';
import type { TransmitterSettings } from '../../config/settings.js';
import { invalidSetError } from './set-errors.js';

/**
 * @param authorization the header of the delivery.
 * @param jwt the delivered token; undefined for other content.
 * @throws AppError `authentication_failed` for an unknown header, `invalid_request` without a token, `invalid_issuer`
 * for an unknown issuer, `access_denied` if header and issuer belong to different transmitters.
 */
export function authenticateTransmitter(
  transmitters: readonly TransmitterSettings[],
  authorization: string | undefined,
  jwt: UnverifiedJwt | undefined,
): { readonly jwt: UnverifiedJwt; readonly transmitter: TransmitterSettings } {
  // Compares all of them, so that the time reveals no match.
  const senders = transmitters.filter((one) => sends(one, authorization));
  if (senders.length === 0) {
    throw invalidSetError(
      'authentication_failed',
      'The Authorization header belongs to no configured transmitter',
      authorization === undefined ? 'token_missing' : 'token_signature',
    );
  }
  if (!jwt) throw invalidSetError('invalid_request', 'The body is not a signed JWT', 'token_malformed');
  const transmitter = transmitters.find(({ issuer }) => issuer === jwt.claims.iss);
  if (!transmitter) {
    throw invalidSetError(
      'invalid_issuer',
      'The issuer of the token is not a configured transmitter',
      'token_issuer',
    );
  }
  if (!senders.includes(transmitter)) {
    throw invalidSetError(
      'access_denied',
      'The token and the Authorization header belong to different transmitters',
      'token_issuer',
    );
  }
  return { jwt, transmitter };
}

function sends({ authorization: expected }: TransmitterSettings, given: string | undefined): boolean {
  return expected === undefined || (given !== undefined && timingSafeStringEqual(given, expected));
}
