/** Stateless nonces for DPoP proofs (RFC 9449 section 9). All instances compute the same nonces. */
import { createHmac, hkdfSync } from 'node:crypto';
import { AppError } from '../../core/app-error.js';
import type { VerifiedProof } from './dpop-proof.js';
import { timingSafeStringEqual } from '../../lib/timing-safe-string-equal.js';

/** A nonce is issued during one slot and accepted until the end of the next. */
export const NONCE_SLOT_SECONDS = 60;

export class DpopNonces {
  private readonly key: Buffer;

  /** @param secret shared by all instances. The key derivation separates it from other uses. */
  constructor(secret: string) {
    this.key = Buffer.from(hkdfSync('sha256', secret, '', 'dpop-nonce', 32));
  }

  current(nowSeconds: number): string {
    return this.ofSlot(slotAt(nowSeconds));
  }

  /** Accepts the nonces of this slot and of the previous one. */
  accepts(nonce: string, nowSeconds: number): boolean {
    const slot = slotAt(nowSeconds);
    return (
      timingSafeStringEqual(nonce, this.ofSlot(slot)) || timingSafeStringEqual(nonce, this.ofSlot(slot - 1))
    );
  }

  private ofSlot(slot: number): string {
    return createHmac('sha256', this.key).update(slot.toString()).digest('base64url');
  }
}

/** @throws AppError 401 with a fresh nonce if the proof has no valid one (RFC 9449 section 9). */
export function requireNonce(
  nonces: DpopNonces,
  { nonce }: Pick<VerifiedProof, 'nonce'>,
  nowSeconds: number,
): void {
  if (nonce !== undefined && nonces.accepts(nonce, nowSeconds)) return;
  const message = 'The DPoP proof must carry the nonce of the DPoP-Nonce header';
  throw new AppError('token_binding', message, {
    status: 401,
    challenge: { error: 'use_dpop_nonce', errorDescription: message },
    headers: { 'dpop-nonce': nonces.current(nowSeconds) },
  });
}

function slotAt(nowSeconds: number): number {
  return Math.floor(nowSeconds / NONCE_SLOT_SECONDS);
}
