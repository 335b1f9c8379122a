/** Parses a signed JWT without trusting it. Pure. */
import { decodeJwt, decodeProtectedHeader, type ProtectedHeaderParameters } from 'jose';
import type { Claims } from '../presets/presets.js';
import { dropNullClaims } from './drop-null-claims.js';

export interface UnverifiedJwt {
  readonly header: ProtectedHeaderParameters;
  /** Unverified claims without null members. Before verification they only select the issuer. */
  readonly claims: Claims;
}

/** Parts of a signed JWT. Undefined for other texts, such as opaque tokens. */
export function readJwt(token: string): UnverifiedJwt | undefined {
  if (!isCanonical(token)) return undefined;
  try {
    return { header: decodeProtectedHeader(token), claims: presentClaims(decodeJwt(token)) };
  } catch {
    return undefined;
  }
}

/**
 * Keeps a null `aud`: some presets accept the client in place of an absent one, and null does not count as absent for
 * that.
 */
function presentClaims(claims: Claims): Claims {
  const present = dropNullClaims(claims);
  return claims.aud === null ? { ...present, aud: null } : present;
}

/**
 * True if a text that is not a JWT names another issuer: a damaged, partial or encrypted token. Such a text must not
 * be sent to an issuer.
 */
export function namesAnotherIssuer(text: string, issuer: string): boolean {
  return text.split(/[^\w+/-]+/).some((segment) =>
    // One additional leading character shifts all following ones.
    [0, 1, 2, 3].some((shift) => issuersIn(segment.slice(shift)).some((one) => one !== issuer)),
  );
}

function issuersIn(segment: string): string[] {
  const decoded = Buffer.from(segment, 'base64').toString('utf8');
  return [...decoded.matchAll(/"iss"\s*:\s*"([^"]*)"/g)].map(([, value = '']) => value.replaceAll('\\', ''));
}

/** RFC 7515 section 2: base64url without padding. A second encoding of a token would bypass lists of tokens. */
function isCanonical(token: string): boolean {
  const segments = token.split('.');
  return (
    segments.length === 3 &&
    segments.every((text) => Buffer.from(text, 'base64url').toString('base64url') === text)
  );
}
