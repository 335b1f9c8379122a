/**
 * Names of JWS algorithms. `EdDSA` with an Ed25519 key and `Ed25519` are one algorithm (RFC 9864 section 2.2). Pure.
 */

const ED25519 = ['EdDSA', 'Ed25519'];

/** All names of the algorithm, including the given one. */
export function namesOfAlgorithm(alg: string): readonly string[] {
  return ED25519.includes(alg) ? ED25519 : [alg];
}

/** True if `accepted` contains the algorithm under any of its names. False if `alg` is not a string. */
export function acceptsAlgorithm(accepted: Iterable<string>, alg: unknown): boolean {
  if (typeof alg !== 'string') return false;
  const names = namesOfAlgorithm(alg);
  return [...accepted].some((one) => names.includes(one));
}
