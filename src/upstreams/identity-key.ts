/** Key of identity headers: read, or created on demand, with its public part. */
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readOrMakeKey, type KeyFile } from '../lib/key-file.js';
import { MIN_RSA_BITS } from '../lib/rsa.js';

export interface IdentityKey {
  readonly privateKey: KeyObject;
  /** JWS (RFC 7518, RFC 8037). */
  readonly algorithm: string;
  readonly jwk: Readonly<Record<string, unknown>> & { readonly kid: string };
}

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};

/**
 * Reads the key, or creates an EC key (P-256) if the file does not exist and may be created. A damaged file that the
 * server creates is replaced, even if the key was published: its signatures are valid for one minute, and upstreams
 * fetch the new key by its id.
 * @throws Error if it is unreadable or cannot sign; the message contains no key data.
 */
export async function loadIdentityKey({
  path,
  mayMake,
  onReplaced,
}: Pick<KeyFile, 'path' | 'mayMake' | 'onReplaced'>): Promise<IdentityKey> {
  const pem = await readOrMakeKey({
    path,
    mayMake,
    onReplaced,
    hasSigned: false,
    what: 'identity key',
    generate: () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  });
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch {
    throw new Error(`The identity key ${path} is not a private key in PEM. Restore the file from a backup`);
  }
  const algorithm = algorithmOf(privateKey);
  if (algorithm === undefined) {
    throw new Error(
      `The identity key ${path} is neither EC, Ed25519, nor RSA of at least ${MIN_RSA_BITS} bits`,
    );
  }
  const jwk = await exportJWK(createPublicKey(privateKey));
  const kid = await calculateJwkThumbprint(jwk);
  return { privateKey, algorithm, jwk: { ...jwk, kid, alg: algorithm, use: 'sig' } };
}

function algorithmOf({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: KeyObject): string | undefined {
  if (type === 'ed25519') return 'EdDSA';
  if (type === 'ec') return CURVES[details?.namedCurve ?? ''];
  return type === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS ? 'RS256' : undefined;
}
