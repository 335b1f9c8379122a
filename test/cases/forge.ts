/** Builds tokens byte by byte, including tokens that a JWT library refuses to create. */
import { createHmac, constants, KeyObject, sign, type CipherKey } from 'node:crypto';
import type { SigningKey } from '../support/issuer.js';

export interface Parts {
  /** An object, or the exact text of the header. */
  readonly header: unknown;
  /** An object, or the exact text of the claims. */
  readonly claims: unknown;
}

/** `header.claims.signature` with a valid signature of this key, independent of the header. */
export function forge({ header, claims }: Parts, key: SigningKey): string {
  const input = signingInput({ header, claims });
  return `${input}.${signatureOf(input, key).toString('base64url')}`;
}

/** Signs with a shared secret where the server expects a public key. */
export function forgeHmac(parts: Parts, secret: CipherKey): string {
  const input = signingInput(parts);
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

export function signingInput({ header, claims }: Parts): string {
  return `${segment(header)}.${segment(claims)}`;
}

export function segment(content: unknown): string {
  return Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)).toString('base64url');
}

function signatureOf(input: string, { alg, privateKey }: SigningKey): Buffer {
  const key = KeyObject.from(privateKey as never);
  const data = Buffer.from(input);
  switch (alg) {
    case 'ES256':
      return sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
    case 'RS256':
      return sign('sha256', data, key);
    case 'PS256':
      return sign('sha256', data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
    case 'EdDSA':
      return sign(null, data, key);
    default:
      throw new Error(`forge cannot sign with ${alg}`);
  }
}
