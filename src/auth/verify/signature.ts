/** Which of an issuer's keys signed a token. */
import { compactVerify, type JWSHeaderParameters } from 'jose';
import type { VerificationKey } from '../keys/key-set.js';
import { invalidTokenError } from '../token-errors.js';

/**
 * @param header of the token; its `alg` is one that is accepted.
 * @param candidates keys that may have signed it.
 * @throws AppError `token_signature` where none of them did.
 */
export async function signerOf(
  token: string,
  header: JWSHeaderParameters & { readonly alg: string },
  candidates: readonly VerificationKey[],
): Promise<VerificationKey> {
  for (const candidate of candidates) {
    if (await isSignedBy(token, candidate, header)) return candidate;
  }
  throw invalidTokenError('token_signature', 'The signature of the token cannot be verified');
}

/** False for whatever is wrong, an odd key included: another key of the issuer may fit. */
async function isSignedBy(
  token: string,
  candidate: VerificationKey,
  header: JWSHeaderParameters & { readonly alg: string },
): Promise<boolean> {
  try {
    await compactVerify(token, await candidate.key(header), { algorithms: [header.alg] });
    return true;
  } catch {
    return false;
  }
}
