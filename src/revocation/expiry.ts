/** Lifetime of a revocation. Pure except for the clock. */
import type { IssuerSettings } from '../config/settings.js';
import type { RevocationKind } from './revocation.js';

/** Added to the lifetime of tokens for clock differences. */
const MARGIN_SECONDS = 300;

/** Unix time in seconds at which all affected tokens have expired. Null if unknown. */
export function expiryOf(
  kind: RevocationKind,
  issuedBefore: number,
  issuer: IssuerSettings | undefined,
): number | null {
  if (!issuer || issuer.maxTokenLifetimeSeconds === 0) return null;
  // A token revoked by id may have been issued after `issued_before`.
  const last = kind === 'token' ? Math.max(issuedBefore, Math.floor(Date.now() / 1000)) : issuedBefore;
  return last + issuer.maxTokenLifetimeSeconds + issuer.clockToleranceSeconds + MARGIN_SECONDS;
}
