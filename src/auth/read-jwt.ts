/** A text read as a signed JWT, before anything of it is believed. Pure. */
import { decodeJwt, decodeProtectedHeader, type ProtectedHeaderParameters } from 'jose';
import type { Claims } from './presets.js';

export interface UnverifiedJwt {
  readonly header: ProtectedHeaderParameters;
  /** What the token says of itself; good for finding out whose it says to be, and for nothing else. */
  readonly claims: Claims;
}

/** The parts of a signed JWT, or undefined where the text is none: then it is opaque, or nothing at all. */
export function readJwt(token: string): UnverifiedJwt | undefined {
  if (!isCanonical(token)) return undefined;
  try {
    return { header: decodeProtectedHeader(token), claims: decodeJwt(token) };
  } catch {
    return undefined;
  }
}

/** RFC 7515 section 2: base64url without padding. A second spelling of one token would slip past whoever keeps a list. */
function isCanonical(token: string): boolean {
  const segments = token.split('.');
  return (
    segments.length === 3 &&
    segments.every((text) => Buffer.from(text, 'base64url').toString('base64url') === text)
  );
}
