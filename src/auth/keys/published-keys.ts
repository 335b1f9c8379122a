/** Usable keys of a JWK Set (RFC 7517). */
import { createHash } from 'node:crypto';
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  errors,
  type CryptoKey,
  type JWK,
  type JWSHeaderParameters,
} from 'jose';
import { isJsonObject } from '../../lib/json.js';
import { namesOfAlgorithm } from '../algorithms.js';
import { MIN_RSA_BITS } from '../../lib/rsa.js';
import { rootMessage } from '../../lib/root-cause.js';

const MAX_KEYS = 100;
/** RFC 7518 section 6, and `priv` of AKP. Any of them makes a key private or symmetric, independent of `kty`. */
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

export interface VerificationKey {
  /** Digest of the public key and its use; changes with any of them. */
  readonly id: string;
  /** @throws errors.JWKSNoMatchingKey if the header requires another key or another use. */
  key(header: JWSHeaderParameters): Promise<CryptoKey>;
}

export interface PublishedKey extends VerificationKey {
  readonly kid: string | undefined;
  /** Accepted algorithms for this key. */
  readonly algorithms: ReadonlySet<string>;
}

export interface PublishedKeys {
  readonly keys: readonly PublishedKey[];
  /** By `id`. */
  readonly ids: ReadonlySet<string>;
  /** All entries, including unusable ones. */
  readonly kids: ReadonlySet<string>;
  readonly dropped: readonly DroppedKey[];
}

export interface DroppedKey {
  /** Name of the entry and the cause, for logs. */
  readonly what: string;
  /** False for a correct entry with another purpose, such as encryption. */
  readonly faulty: boolean;
}

/** The entry is for algorithms that this server does not accept. */
class ForeignKey extends Error {}

/**
 * Reads all usable entries; a faulty entry does not invalidate the set.
 * @param previous unchanged keys keep their objects and imports.
 * @throws Error if the document is not a JWK Set.
 */
export async function readPublishedKeys(
  document: unknown,
  accepted: readonly string[],
  previous: readonly PublishedKey[] = [],
): Promise<PublishedKeys> {
  const entries = (document as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(entries)) throw new Error('The document is not a JWK Set');
  const known = new Map(previous.map((key) => [key.id, key]));
  const keys = new Map<string, PublishedKey>();
  const kids = new Set<string>();
  const dropped: DroppedKey[] = [];
  for (const [at, entry] of (entries as unknown[]).entries()) {
    const kid = kidOf(entry);
    if (kid !== undefined) kids.add(kid);
    try {
      if (keys.size >= MAX_KEYS) throw new Error(`is beyond the first ${MAX_KEYS} keys`);
      const key = await readKey(entry, accepted, known);
      keys.set(key.id, key);
    } catch (error) {
      const name = kid === undefined ? `#${at}` : `#${at} (kid ${JSON.stringify(kid.slice(0, 64))})`;
      dropped.push({ what: `${name} ${(error as Error).message}`, faulty: !(error instanceof ForeignKey) });
    }
  }
  return { keys: [...keys.values()], ids: new Set(keys.keys()), kids, dropped };
}

async function readKey(
  entry: unknown,
  accepted: readonly string[],
  known: ReadonlyMap<string, PublishedKey>,
): Promise<PublishedKey> {
  if (!isJsonObject(entry)) throw new Error('is not an object');
  if (entry.kty === 'oct') throw new Error('is symmetric');
  if (SECRET_MEMBERS.some((name) => name in entry)) throw new Error('holds a private key');
  const jwk = entry as JWK;
  const id = await idOf(jwk);
  return known.get(id) ?? importKey(jwk, id, accepted);
}

/** Imports the key with jose for each accepted algorithm; its rules on kty, crv, alg, use and key_ops decide. */
async function importKey(jwk: JWK, id: string, accepted: readonly string[]): Promise<PublishedKey> {
  const select = createLocalJWKSet({ keys: [withoutName(jwk)] });
  const kid = kidOf(jwk);
  const algorithms = new Set<string>();
  for (const alg of accepted) {
    try {
      checkStrength(await select({ alg }));
      algorithms.add(alg);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) continue;
      throw new Error(`is unusable: ${rootMessage(error)}`, { cause: error });
    }
  }
  if (algorithms.size === 0) throw new ForeignKey('has no accepted algorithm');
  return { id, kid, algorithms, key: (header) => select(kid === undefined ? { alg: header.alg } : header) };
}

/** The curve implies both names of the algorithm (RFC 9864); jose treats the names as different. */
function withoutName({ alg, ...jwk }: JWK): JWK {
  const isOneOfTwo = jwk.crv === 'Ed25519' && namesOfAlgorithm('EdDSA').some((name) => name === alg);
  return isOneOfTwo ? jwk : { ...jwk, ...(alg !== undefined && { alg }) };
}

function checkStrength(key: CryptoKey): void {
  const { modulusLength } = key.algorithm as { modulusLength?: number };
  if (modulusLength !== undefined && modulusLength < MIN_RSA_BITS) {
    throw new Error(`an RSA key of ${modulusLength} bits is too short`);
  }
}

async function idOf(jwk: JWK): Promise<string> {
  try {
    const { kid, alg, use, key_ops: operations, ext } = jwk;
    const facts = [await calculateJwkThumbprint(jwk), kid, alg, use, operations, ext];
    return createHash('sha256').update(JSON.stringify(facts)).digest('base64url');
  } catch (error) {
    if (error instanceof errors.JOSENotSupported) throw new ForeignKey('has an unknown type');
    throw new Error('cannot be read', { cause: error });
  }
}

function kidOf(entry: unknown): string | undefined {
  return isJsonObject(entry) && typeof entry.kid === 'string' ? entry.kid : undefined;
}
