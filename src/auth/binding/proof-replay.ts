/** Replay detection of DPoP proofs (RFC 9449 section 11.1). */
import { createHash } from 'node:crypto';
import { AppError } from '../../core/app-error.js';
import type { VerifiedProof } from './dpop-proof.js';

/** Remembers proofs in the memory of this instance. */
export class ProofReplay {
  /** Last second of validity by proof, in the order of arrival. */
  private readonly used = new Map<string, number>();

  constructor(private readonly maxEntries = 200_000) {}

  /**
   * True exactly once per key and `jti` while the proof is valid.
   * @throws AppError `identity_unavailable` (503) if the memory is full: forgetting a proof would allow its replay.
   */
  firstUse(proof: VerifiedProof, now: number): boolean {
    // The proof may have expired since its verification, and its first use may be forgotten.
    if (proof.validUntil < now) return false;
    this.forgetExpired(now);
    const id = idOfProof(proof).toString('latin1');
    const validUntil = this.used.get(id);
    if (validUntil !== undefined && validUntil >= now) return false;
    // The expired entry is still queued; the new proof gets its own place.
    this.used.delete(id);
    if (this.used.size >= this.maxEntries) throw this.full(now);
    this.used.set(id, proof.validUntil);
    return true;
  }

  /**
   * Removes from the oldest entry to the first valid one. A proof dated in the future delays the removal of later
   * ones by at most its lifetime.
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

/** 128 bits of a hash: clients choose the length of `jti`. The thumbprint has a fixed length. */
export function idOfProof({ thumbprint, jti }: VerifiedProof): Buffer {
  return createHash('sha256').update(`${thumbprint}.${jti}`).digest().subarray(0, 16);
}
