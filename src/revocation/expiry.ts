/** How long a revocation is of use. Pure but for the clock. */
import type { IssuerSettings } from '../config/settings.js';
import type { RevocationKind } from './revocation.js';

/** Beyond the lifetime of tokens: clocks differ. */
const MARGIN_SECONDS = 300;

/** When every token that it can hit has expired, in seconds since the epoch; null where that cannot be known. */
export function expiryOf(
  kind: RevocationKind,
  issuedBefore: number,
  issuer: IssuerSettings | undefined,
): number | null {
  if (!issuer || issuer.maxTokenLifetimeSeconds === 0) return null;
  // One that is revoked by its id may have been issued later than the moment at which somebody says so.
  const last = kind === 'token' ? Math.max(issuedBefore, Math.floor(Date.now() / 1000)) : issuedBefore;
  return last + issuer.maxTokenLifetimeSeconds + issuer.clockToleranceSeconds + MARGIN_SECONDS;
}
