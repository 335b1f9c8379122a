/** Claims of a JWT after verification against the keys of its issuer (RFC 9068 section 4). */
import type { IssuerSettings } from '../../config/settings.js';
import { checkAlgorithm, checkType } from './check-token.js';
import type { JwksService } from '../keys/jwks.service.js';
import type { Claims } from '../presets/presets.js';
import type { UnverifiedJwt } from './read-jwt.js';
import { signerOf } from './signature.js';

export interface SignedClaims {
  readonly claims: Claims;
  readonly keyId: string;
}

/**
 * Only keys of this issuer are tried: an issuer cannot sign for another.
 * @throws AppError `token_algorithm`, `token_malformed`, `token_type`, `token_signature`; `identity_unavailable` if
 * the keys are unavailable.
 */
export async function signedClaims(
  token: string,
  jwt: UnverifiedJwt,
  issuer: IssuerSettings,
  jwks: JwksService,
): Promise<SignedClaims> {
  checkAlgorithm(jwt.header, issuer);
  checkType(jwt.header, issuer);
  const header = { ...jwt.header, alg: jwt.header.alg as string };
  const candidates = await jwks.candidates(issuer, header);
  try {
    return { claims: jwt.claims, keyId: (await signerOf(token, header, candidates)).id };
  } catch (error) {
    if (candidates.length > 0) jwks.refreshAfterBadSignature(issuer);
    throw error;
  }
}
