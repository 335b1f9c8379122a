/** The key that signs the checkpoints of a ledger: read, or made on the first start; what of it is public. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { chmod, mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

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
 * Reads the key (PEM, PKCS #8), or makes one there where the file does not exist and may be made.
 * @param mayMake false: a key that the operator names must exist, or a typing error would change the signer.
 * @throws Error where it cannot be read, or is no Ed25519 key; the message never holds the key.
 */
export async function loadSigningKey(file: string, mayMake: boolean): Promise<SigningKey> {
  const pem = await readOrMakeKey(file, mayMake, 'audit key', () => generateKeyPairSync('ed25519'));
  return signingKeyOf(pem, file);
}

/**
 * A private key in PEM, read or, where there is none and one may be made, made there for this user alone.
 * @param what it is, for messages, which never hold the key.
 * @throws Error where it cannot be read, or where another process made the file in between.
 */
export async function readOrMakeKey(
  file: string,
  mayMake: boolean,
  what: string,
  generate: () => { readonly privateKey: KeyObject },
): Promise<string> {
  const pem = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && mayMake) return undefined;
    throw new Error(`The ${what} ${file} cannot be read (${error.code})`);
  });
  return pem ?? (await make(file, generate().privateKey));
}

/** @throws Error where the text is no private Ed25519 key. */
export function signingKeyOf(pem: string, name: string): SigningKey {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch {
    throw new Error(`The audit key ${name} is not a private key in PEM`);
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

/** @throws Error where another process made the file in between. */
async function make(file: string, key: KeyObject): Promise<string> {
  const pem = key.export({ type: 'pkcs8', format: 'pem' }) as string;
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(file, 'wx', 0o600);
  try {
    await chmod(file, 0o600);
    await handle.writeFile(pem);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return pem;
}
