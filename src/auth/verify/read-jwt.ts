/** A text read as a signed JWT, before anything of it is believed. Pure. */
import { decodeJwt, decodeProtectedHeader, type ProtectedHeaderParameters } from 'jose';
import type { Claims } from '../presets/presets.js';
import { dropNullClaims } from './drop-null-claims.js';

export interface UnverifiedJwt {
  readonly header: ProtectedHeaderParameters;
  /** Unverified claims, without members that are null; until the signature is checked they only tell the issuer. */
  readonly claims: Claims;
}

/** The parts of a signed JWT, or undefined where the text is none: then it is opaque, or nothing at all. */
export function readJwt(token: string): UnverifiedJwt | undefined {
  if (!isCanonical(token)) return undefined;
  try {
    return { header: decodeProtectedHeader(token), claims: presentClaims(decodeJwt(token)) };
  } catch {
    return undefined;
  }
}

/** A null `aud` stays: some presets accept the client in the place of an absent one, and null is not absent enough for that. */
function presentClaims(claims: Claims): Claims {
  const present = dropNullClaims(claims);
  return claims.aud === null ? { ...present, aud: null } : present;
}

/**
 * Whether a text that is no JWT still says somewhere that it is of another issuer: a token that was damaged on its way, a
 * part of one, or an encrypted one. To show it to an issuer would be to give it away.
 */
export function namesAnotherIssuer(text: string, issuer: string): boolean {
  return text.split(/[^\w+/-]+/).some((segment) =>
    // One character too many in front shifts all that follows.
    [0, 1, 2, 3].some((shift) => issuersIn(segment.slice(shift)).some((one) => one !== issuer)),
  );
}

function issuersIn(segment: string): string[] {
  const decoded = Buffer.from(segment, 'base64').toString('utf8');
  return [...decoded.matchAll(/"iss"\s*:\s*"([^"]*)"/g)].map(([, value = '']) => value.replaceAll('\\', ''));
}

/** RFC 7515 section 2: base64url without padding. A second spelling of one token would slip past whoever keeps a list. */
function isCanonical(token: string): boolean {
  const segments = token.split('.');
  return (
    segments.length === 3 &&
    segments.every((text) => Buffer.from(text, 'base64url').toString('base64url') === text)
  );
}
