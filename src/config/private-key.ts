/** Checks at startup that a private key supports its configured algorithm. Pure. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { MIN_RSA_BITS } from '../lib/rsa.js';

const CURVES: Readonly<Record<string, string>> = {
  ES256: 'prime256v1',
  ES384: 'secp384r1',
  ES512: 'secp521r1',
};

/** Fault without key data; undefined for a valid key. @param algorithm JWS (RFC 7518, RFC 8037). */
export function keyFault(pem: string, algorithm: string): string | undefined {
  if (!pem.startsWith('-----BEGIN PRIVATE KEY-----')) {
    return 'must hold a private key in PEM, PKCS #8, without a password (openssl genpkey, or openssl pkcs8 -topk8 -nocrypt)';
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    return 'holds a private key that cannot be read';
  }
  return fits(key, algorithm) ? undefined : `holds a key that cannot sign with ${algorithm}`;
}

function fits(
  { asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject,
  algorithm: string,
): boolean {
  if (algorithm in CURVES) return type === 'ec' && details?.namedCurve === CURVES[algorithm];
  if (algorithm === 'EdDSA' || algorithm === 'Ed25519') return type === 'ed25519';
  return type === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS;
}
