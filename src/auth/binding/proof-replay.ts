/** Which DPoP proofs were used already (RFC 9449 section 11.1). */
import { createHash } from 'node:crypto';
import { AppError } from '../../core/app-error.js';
import type { VerifiedProof } from './dpop-proof.js';

/** Remembers proofs in the memory of this instance. */
export class ProofReplay {
  /** From a proof to the last second in which it is valid, in the order of arrival. */
  private readonly used = new Map<string, number>();

  constructor(private readonly maxEntries = 200_000) {}

  /**
   * True exactly once per key and `jti` while the proof can be valid.
   * @throws AppError `identity_unavailable` (503) where there is no room to remember it: forgetting another would let
   *   that one be used again.
   */
  firstUse(proof: VerifiedProof, now: number): boolean {
    // Its time may have run out since it was verified, and its first use may be forgotten with it.
    if (proof.validUntil < now) return false;
    this.forgetExpired(now);
    const id = idOfProof(proof).toString('latin1');
    const validUntil = this.used.get(id);
    if (validUntil !== undefined && validUntil >= now) return false;
    // Expired, but held up behind another: this proof has a place of its own.
    this.used.delete(id);
    if (this.used.size >= this.maxEntries) throw this.full(now);
    this.used.set(id, proof.validUntil);
    return true;
  }

  /**
   * From the oldest on, to the first that still counts: each entry is looked at once more, when it goes. One that is dated
   * ahead may hold up those behind it, for no longer than a proof is valid.
   */
  private forgetExpired(now: number): void {
    for (const [id, validUntil] of this.used) {
      if (validUntil >= now) return;
      this.used.delete(id);
    }
  }

  private full(now: number): AppError {
    const [oldest = now] = this.used.values();
    return new AppError('identity_unavailable', 'Too many DPoP proofs at once', {
      status: 503,
      retryAfterSeconds: Math.max(1, Math.floor(oldest - now) + 1),
    });
  }
}

/** 128 bits of a hash: a `jti` can be long, and as a client likes it. The thumbprint is of one length. */
export function idOfProof({ thumbprint, jti }: VerifiedProof): Buffer {
  return createHash('sha256').update(`${thumbprint}.${jti}`).digest().subarray(0, 16);
}
