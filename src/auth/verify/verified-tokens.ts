/** Tokens that were verified not long ago, so that the signature of each is checked once. */
import { Injectable } from '@nestjs/common';
import { hash } from 'node:crypto';
import type { Principal } from '../../core/principal.js';
import { createTokenLru } from '../../lib/token-lru.js';
import type { IssuerSettings } from '../../config/settings.js';
import type { Claims } from '../presets/presets.js';

/**
 * What was found out about a token that will not change: everything but the clock, the issuer's keys and what the
 * request presents beside the token. Whoever takes one from the cache has those still to check.
 */
export interface VerifiedToken {
  readonly principal: Principal;
  readonly claims: Claims;
  readonly issuer: IssuerSettings;
  /** The key that its signature fits; undefined where the issuer itself was asked. */
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

/** A token is never kept, only its digest: who reads this memory cannot use what it finds. */
function keyOf(token: string): string {
  return hash('sha256', token, 'base64');
}
