/** Reads the public key of a DPoP proof (RFC 9449 section 4.2): asymmetric, strong, and valid for its algorithm. */
import type { JWK } from 'jose';
import { acceptsAlgorithm } from '../algorithms.js';
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import { MIN_RSA_BITS } from '../../lib/rsa.js';
import { refuseProof } from './proof-errors.js';

interface KeyKind {
  readonly kty: string;
  readonly crv?: string;
  /** Members of the key; with `kty` and `crv` they make the thumbprint (RFC 7638). Other members are dropped. */
  readonly members: readonly string[];
  readonly fits: (...members: Buffer[]) => boolean;
}

/** Limit for the cost of one signature verification. */
const MAX_RSA_BITS = 8192;

const RSA: KeyKind = { kty: 'RSA', members: ['n', 'e'], fits: isSoundRsa };
const ED25519: KeyKind = { kty: 'OKP', crv: 'Ed25519', members: ['x'], fits: haveLength(32) };
const ec = (crv: string, bytes: number): KeyKind => ({
  kty: 'EC',
  crv,
  members: ['x', 'y'],
  fits: haveLength(bytes),
});

/** Algorithms of DPoP proofs. Callers select from them. */
const KINDS: ReadonlyMap<string, KeyKind> = new Map([
  ['ES256', ec('P-256', 32)],
  ['ES384', ec('P-384', 48)],
  ['ES512', ec('P-521', 66)],
  ['EdDSA', ED25519],
  ['Ed25519', ED25519],
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((alg) => [alg, RSA] as const),
]);

/** RFC 7518 section 6, and `priv` of RFC 9964. */
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

/**
 * @returns the members of the key; drops all other parameters.
 * @throws AppError `token_binding` if it is not a public key for this algorithm.
 */
export function readProofKey(jwk: unknown, alg: string): JWK {
  const kind = KINDS.get(alg);
  if (kind === undefined || !isJsonObject(jwk)) throw refuseProof('The DPoP proof holds no public key');
  if (SECRET_MEMBERS.some((name) => Object.hasOwn(jwk, name))) {
    throw refuseProof('The DPoP proof holds a key that is not public');
  }
  const values = kind.members.map((name) => decodeMember(jwk[name]));
  if (jwk.kty !== kind.kty || jwk.crv !== kind.crv || !kind.fits(...values) || !isMeantFor(alg, jwk)) {
    throw refuseProof('The key of the DPoP proof does not fit its algorithm');
  }
  const names = ['kty', ...(kind.crv === undefined ? [] : ['crv']), ...kind.members];
  return Object.fromEntries(names.map((name) => [name, jwk[name]]));
}

/** `use`, `key_ops` and `alg` must permit the signature (RFC 7517 section 4). */
function isMeantFor(alg: string, jwk: JsonObject): boolean {
  const { alg: own = alg, use = 'sig', key_ops: operations = ['verify'] } = jwk;
  const verifiesOnly = Array.isArray(operations) && operations.length === 1 && operations[0] === 'verify';
  return acceptsAlgorithm([alg], own) && use === 'sig' && verifiesOnly;
}

/** Canonical base64url. Other values become empty, which no algorithm accepts. */
function decodeMember(value: unknown): Buffer {
  const bytes = Buffer.from(typeof value === 'string' ? value : '', 'base64url');
  return bytes.toString('base64url') === value ? bytes : Buffer.alloc(0);
}

function haveLength(bytes: number) {
  return (...members: Buffer[]) => members.every(({ length }) => length === bytes);
}

/** No leading zeros (RFC 7518 section 6.3.1), a permitted size, and an odd exponent above 1. */
function isSoundRsa(modulus: Buffer = Buffer.alloc(0), exponent: Buffer = Buffer.alloc(0)): boolean {
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24;
  const e = exponent.length > 0 && exponent.length <= 4 ? exponent.readUIntBE(0, exponent.length) : 0;
  return (
    modulus[0] !== 0 &&
    exponent[0] !== 0 &&
    bits >= MIN_RSA_BITS &&
    bits <= MAX_RSA_BITS &&
    e > 1 &&
    e % 2 === 1
  );
}
