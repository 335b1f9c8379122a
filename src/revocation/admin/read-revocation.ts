/** Reads a revocation from request members. Pure. */
import { readDateTime } from '../../lib/date-time.js';
import type { JsonObject } from '../../lib/json.js';
import { isWellFormed } from '../../lib/well-formed.js';
import type { IssuerSettings } from '../../config/settings.js';
import { REVOCATION_KINDS, type Revocation, type RevocationKind } from '../revocation.js';

export type Read =
  | { readonly ok: true; readonly revocation: Omit<Revocation, 'id' | 'by'> }
  | { readonly ok: false; readonly fault: string };

type KnownIssuer = Pick<IssuerSettings, 'issuer' | 'clockToleranceSeconds'>;

const MAX_TEXT = 1_000;
const MEMBERS = ['kind', 'issuer', 'value', 'issued_before', 'reason'];

/**
 * @param now Unix time in milliseconds. Default of `issued_before`: now plus the clock tolerance of the issuer.
 * @param issuers configured issuers; other tokens are never accepted.
 */
export function readRevocation(members: JsonObject, now: number, issuers: readonly KnownIssuer[]): Read {
  const { kind, issuer, value = '', issued_before: given, reason = null } = members;
  const stray = Object.keys(members).find((name) => !MEMBERS.includes(name));
  if (stray !== undefined) return fault(`unknown member; known members are ${MEMBERS.join(', ')}`);
  if (!REVOCATION_KINDS.includes(kind as RevocationKind)) {
    return fault(`kind must be one of ${REVOCATION_KINDS.join(', ')}`);
  }
  const known = issuers.find((one) => one.issuer === issuer);
  if (!known) return fault('issuer must be the exact iss of a configured issuer');
  if (!isText(value) || (value === '') !== (kind === 'issuer')) {
    return fault(
      kind === 'issuer' ? 'value must be absent for kind issuer' : `value must be the ${String(kind)}`,
    );
  }
  if (reason !== null && !isText(reason))
    return fault(`reason must be a text of at most ${MAX_TEXT} characters`);
  const issuedBefore =
    given === undefined ? Math.floor(now / 1000) + known.clockToleranceSeconds : secondsOf(given);
  if (issuedBefore === undefined)
    return fault('issued_before must be a time with a zone (RFC 3339), or seconds since the epoch');
  return {
    ok: true,
    revocation: { kind: kind as RevocationKind, issuer: known.issuer, value, issuedBefore, reason },
  };
}

function secondsOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  const time = typeof value === 'string' ? readDateTime(value) : undefined;
  return time === undefined ? undefined : Math.floor(time / 1000);
}

function isText(value: unknown): value is string {
  return (
    typeof value === 'string' && value.length <= MAX_TEXT && !value.includes('\0') && isWellFormed(value)
  );
}

function fault(what: string): Read {
  return { ok: false, fault: what };
}
