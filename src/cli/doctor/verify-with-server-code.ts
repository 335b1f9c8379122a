/** Verifies a token with the keys of its issuer, or by introspection. */
import { acceptsAlgorithm } from '../../auth/algorithms.js';
import { readCredential } from '../../auth/credential.js';
import { introspectedClaims } from '../../auth/introspection/introspected-claims.js';
import type { UnverifiedJwt } from '../../auth/verify/read-jwt.js';
import { signerOf } from '../../auth/verify/signature.js';
import { AppError } from '../../core/app-error.js';
import type { Principal } from '../../core/principal.js';
import type { IssuerSettings } from '../../config/settings.js';
import { askKeys } from './ask-issuer.js';
import type { Evidence } from './checks.js';
import type { Deployment } from './deployment.js';

/** Result of the verifier: a principal or an error. */
export type Answer = { readonly principal: Principal } | { readonly error: AppError };

/** @returns undefined if the algorithm is not accepted, so that no key applies. */
export async function verifyWithServerCode(
  token: string,
  jwt: UnverifiedJwt | undefined,
  issuer: IssuerSettings,
  { jwks, introspection }: Deployment,
): Promise<Evidence['signatureCheck']> {
  return orError(async () => {
    if (issuer.introspection)
      return { claims: await introspectedClaims(token, jwt, issuer, { introspection, jwks }) };
    const alg: unknown = jwt?.header.alg;
    if (!jwt || typeof alg !== 'string' || !acceptsAlgorithm(issuer.algorithms, alg)) return undefined;
    const header = { ...jwt.header, alg };
    await signerOf(token, header, await jwks.candidates(issuer, header));
    return { claims: jwt.claims };
  });
}

/**
 * Judges a request with this token like the server.
 * @param certificate assumed thumbprint of the client.
 */
export function verify(
  token: string,
  certificate: string | undefined,
  { verifier }: Pick<Deployment, 'verifier'>,
): Promise<Answer> {
  return orError(async () => {
    const credential = readCredential([`Bearer ${token}`], []);
    const presented = {
      ...credential,
      request: { method: 'POST', path: '/' },
      proofs: [],
      certificate: () => certificate,
    };
    return { principal: await verifier.verify(presented) };
  });
}

/** Key ids that the issuer publishes now; undefined if unavailable. */
export async function publishedKids(
  issuer: IssuerSettings,
  { metadata }: Deployment,
): Promise<readonly string[] | undefined> {
  const document = issuer.jwksUri ? undefined : await metadata.get(issuer).catch(() => undefined);
  const keys = await askKeys(issuer, document);
  return 'failure' in keys ? undefined : [...keys.published.kids];
}

async function orError<T>(ask: () => Promise<T>): Promise<T | { readonly error: AppError }> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof AppError) return { error };
    throw error;
  }
}
