/** Cache of verified tokens: each signature is verified once. */
import { Injectable } from '@nestjs/common';
import { hash } from 'node:crypto';
import type { Principal } from '../../core/principal.js';
import { createTokenLru } from '../../lib/token-lru.js';
import type { IssuerSettings } from '../../config/settings.js';
import type { Claims } from '../presets/presets.js';

/**
 * Immutable results of a verification. The clock, the keys of the issuer and the proofs of the request must be
 * checked at each use.
 */
export interface VerifiedToken {
  readonly principal: Principal;
  readonly claims: Claims;
  readonly issuer: IssuerSettings;
  /** Key that verified the signature; undefined for an introspected token. */
  readonly keyId: string | undefined;
}

@Injectable()
export class VerifiedTokens {
  private readonly tokens = createTokenLru<VerifiedToken>();

  get(token: string): VerifiedToken | undefined {
    return this.tokens.get(keyOf(token));
  }

  set(token: string, verified: VerifiedToken): void {
    this.tokens.set(keyOf(token), verified, { size: token.length });
  }

  delete(token: string): void {
    this.tokens.delete(keyOf(token));
  }
}

/** Key is a digest of the token, so the memory holds no usable token. */
function keyOf(token: string): string {
  return hash('sha256', token, 'base64');
}
