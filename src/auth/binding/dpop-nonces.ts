/** Nonces for DPoP proofs (RFC 9449 section 9), which nobody has to remember: every instance makes the same. */
import { createHmac, hkdfSync } from 'node:crypto';
import { AppError } from '../../core/app-error.js';
import type { VerifiedProof } from './dpop-proof.js';
import { timingSafeStringEqual } from '../../lib/timing-safe-string-equal.js';

/** A nonce is given out for this long and accepted for as long again. */
export const NONCE_SLOT_SECONDS = 60;

export class DpopNonces {
  private readonly key: Buffer;

  /** @param secret shared by all instances. Used for this purpose only, whatever else is made of it. */
  constructor(secret: string) {
    this.key = Buffer.from(hkdfSync('sha256', secret, '', 'dpop-nonce', 32));
  }

  current(nowSeconds: number): string {
    return this.ofSlot(slotAt(nowSeconds));
  }

  /** The nonce of this slot, or of the one before: a client may use what it was given a moment ago. */
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

/** @throws AppError 401 with a fresh nonce, where the proof has none or a stale one (RFC 9449 section 9). */
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
