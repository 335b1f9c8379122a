/** Verifies a DPoP proof against its request (RFC 9449 section 4.3). Stateless. */
import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, compactVerify, importJWK, type JWK } from 'jose';
import { AppError } from '../../core/app-error.js';
import { acceptsAlgorithm } from '../algorithms.js';
import type { JsonObject } from '../../lib/json.js';
import { parseStrictJsonObject } from './proof-json.js';
import { readProofKey } from './proof-key.js';
import { sameTarget } from './proof-target.js';
import { refuseProof } from './proof-errors.js';

export { refuseProof };

/** Maximum age of a proof, in seconds. */
export const PROOF_MAX_AGE_SECONDS = 60;

/** Enough for an RSA key and its signature. Proofs are read before authentication. */
const MAX_PROOF_LENGTH = 8192;
const MAX_JTI_LENGTH = 256;

export interface ProofRequest {
  /** Must equal `htm`. */
  readonly method: string;
  /** Must match `htu`: the address that clients use. */
  readonly url: string;
  readonly accessToken: string;
  readonly algorithms: readonly string[];
  /** Unix time in seconds. */
  readonly now: number;
  readonly toleranceSeconds: number;
}

export interface VerifiedProof {
  /** RFC 7638, SHA-256, base64url; must equal `cnf.jkt` of the token. */
  readonly thumbprint: string;
  readonly jti: string;
  readonly issuedAt: number;
  /** Last second in which the proof is valid; replays are detected until then. */
  readonly validUntil: number;
  readonly nonce: string | undefined;
}

type VerifiedClaims = Omit<VerifiedProof, 'thumbprint'>;

/** @throws AppError `token_binding` for every invalid proof; no other error. */
export async function verifyProof(proof: string, request: ProofRequest): Promise<VerifiedProof> {
  try {
    const { header, claims } = decode(proof);
    const jwk = readHeader(header, request.algorithms);
    await verifySignature(proof, jwk, header.alg as string);
    return { thumbprint: await calculateJwkThumbprint(jwk), ...readClaims(claims, request) };
  } catch (error) {
    throw error instanceof AppError ? error : refuseProof('The DPoP proof cannot be verified', error);
  }
}

function decode(proof: string): { header: JsonObject; claims: JsonObject } {
  if (proof.length > MAX_PROOF_LENGTH) throw refuseProof('The DPoP proof is too long');
  const [header, claims, signature, ...rest] = proof.split('.').map((text) => {
    const bytes = Buffer.from(text, 'base64url');
    // One encoding per proof (RFC 7515 section 2).
    return bytes.toString('base64url') === text ? bytes : undefined;
  });
  try {
    if (header && claims && signature && rest.length === 0) {
      return { header: parseStrictJsonObject(header), claims: parseStrictJsonObject(claims) };
    }
  } catch (error) {
    throw refuseProof('The DPoP proof is not a signed JWT', error);
  }
  throw refuseProof('The DPoP proof is not a signed JWT');
}

/** The key comes from `jwk`. `kid`, `jku`, `x5c` and `x5u` are ignored. */
function readHeader({ typ, alg, crit, jwk }: JsonObject, algorithms: readonly string[]): JWK {
  // A media type: case-insensitive, `application/` is optional (RFC 7515 section 4.1.9).
  if (typeof typ !== 'string' || !/^(?:application\/)?dpop\+jwt$/i.test(typ)) {
    throw refuseProof('The DPoP proof is not of type dpop+jwt');
  }
  if (typeof alg !== 'string' || !acceptsAlgorithm(algorithms, alg)) {
    throw refuseProof('The DPoP proof is signed with an algorithm that is not accepted');
  }
  if (crit !== undefined) throw refuseProof('The DPoP proof requires an unknown extension (crit)');
  return readProofKey(jwk, alg);
}

async function verifySignature(proof: string, jwk: JWK, alg: string): Promise<void> {
  try {
    await compactVerify(proof, await importJWK(jwk, alg), { algorithms: [alg] });
  } catch (error) {
    throw refuseProof('The signature of the DPoP proof does not match its key', error);
  }
}

function readClaims(claims: JsonObject, request: ProofRequest): VerifiedClaims {
  const { jti, htm, htu, ath, nonce } = claims;
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_LENGTH) {
    throw refuseProof('The DPoP proof has no valid jti');
  }
  if (htm !== request.method) throw refuseProof('The DPoP proof was made for another method');
  if (typeof htu !== 'string' || !sameTarget(htu, request.url)) {
    throw refuseProof('The DPoP proof was made for another address');
  }
  if (ath !== createHash('sha256').update(request.accessToken, 'ascii').digest('base64url')) {
    throw refuseProof('The DPoP proof was made for another access token');
  }
  if (nonce !== undefined && typeof nonce !== 'string') {
    throw refuseProof('The nonce of the DPoP proof is not a string');
  }
  return { jti, nonce, ...readTimes(claims, request) };
}

/** `iat` is required. `exp` and `nbf` are optional and enforced (RFC 7519 section 4.1). */
function readTimes({ iat, exp, nbf }: JsonObject, { now, toleranceSeconds }: ProofRequest) {
  if (typeof iat !== 'number' || !Number.isFinite(iat)) throw refuseProof('The DPoP proof has no valid iat');
  const validUntil = iat + PROOF_MAX_AGE_SECONDS + toleranceSeconds;
  if (validUntil < now) throw refuseProof('The DPoP proof is too old');
  if (iat > now + toleranceSeconds) throw refuseProof('The DPoP proof is from the future');
  if (exp !== undefined && !(typeof exp === 'number' && exp + toleranceSeconds > now)) {
    throw refuseProof('The DPoP proof has expired');
  }
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf - toleranceSeconds <= now)) {
    throw refuseProof('The DPoP proof is not valid yet');
  }
  return { issuedAt: iat, validUntil };
}
