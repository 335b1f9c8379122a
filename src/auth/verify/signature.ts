/** Finds the key of an issuer that signed a token. */
import { compactVerify, type JWSHeaderParameters } from 'jose';
import type { VerificationKey } from '../keys/key-set.js';
import { invalidTokenError } from '../token-errors.js';

/**
 * @param header of the token, with an accepted `alg`.
 * @param candidates keys that may have signed it.
 * @throws AppError `token_signature` if no key matches.
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

/** False for every failure, also of an unusual key: another key may match. */
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
