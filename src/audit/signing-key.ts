/** Loads or creates the key that signs the checkpoints, and derives its public part. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { readOrMakeKey, type KeyFile } from '../lib/key-file.js';

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** RFC 7638 thumbprint. */
  readonly id: string;
  /** RFC 8037, public members only. */
  readonly jwk: PublicJwk;
}

export interface PublicJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
  readonly alg: 'EdDSA';
  readonly use: 'sig';
}

/**
 * Reads the key (PEM, PKCS #8), or creates one if the file does not exist and `mayMake` is set.
 * @throws Error if the file cannot be read or is not an Ed25519 key. The message never contains the key.
 */
export async function loadSigningKey(file: Omit<KeyFile, 'what' | 'generate'>): Promise<SigningKey> {
  const pem = await readOrMakeKey({
    ...file,
    what: 'audit key',
    generate: () => generateKeyPairSync('ed25519'),
  });
  return signingKeyOf(pem, file.path);
}

/** @throws Error if the text is not a private Ed25519 key. */
export function signingKeyOf(pem: string, name: string): SigningKey {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch {
    throw new Error(`The audit key ${name} is not a private key in PEM. Restore the file from a backup`);
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') {
    throw new Error(`The audit key ${name} is not an Ed25519 key (openssl genpkey -algorithm ed25519)`);
  }
  const publicKey = createPublicKey(privateKey);
  const jwk = publicJwk(publicKey);
  return { privateKey, publicKey, id: jwk.kid, jwk };
}

export function publicJwk(key: KeyObject): PublicJwk {
  const { x = '' } = key.export({ format: 'jwk' }) as JsonWebKey;
  const kid = createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url');
  return { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' };
}
