/** Checks of a genuine token (RFC 9068 section 4, RFC 8725), one function each. Pure. */
import type { ProtectedHeaderParameters } from 'jose';
import type { IssuerSettings } from '../../config/settings.js';
import { acceptsAlgorithm } from '../algorithms.js';
import { PRESET_FACTS, type Claims } from '../presets/presets.js';
import { invalidTokenError } from '../token-errors.js';

/** Claims of ID tokens, logout tokens, security events and DPoP proofs; access tokens never have them. */
const FOREIGN_CLAIMS = ['at_hash', 'c_hash', 's_hash', 'events', 'sub_id', 'htm', 'htu', 'ath'];

/**
 * @throws AppError `token_algorithm`; `token_malformed` if the header requires an extension (RFC 7515 section
 * 4.1.11).
 */
export function checkAlgorithm(header: ProtectedHeaderParameters, issuer: IssuerSettings): void {
  if (!acceptsAlgorithm(issuer.algorithms, header.alg)) {
    throw invalidTokenError('token_algorithm', 'The token is signed with an algorithm that is not accepted');
  }
  if (header.crit !== undefined) {
    throw invalidTokenError('token_malformed', 'The token has critical header extensions');
  }
}

/**
 * `none` in the list of the issuer stands for an absent `typ`; a token cannot name it.
 * @throws AppError `token_type`
 */
export function checkType({ typ }: ProtectedHeaderParameters, issuer: IssuerSettings): void {
  const accepted = acceptedTypes(issuer);
  const type = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : undefined;
  const fits =
    typ === undefined
      ? accepted.includes('none')
      : type !== undefined && type !== 'none' && accepted.includes(type);
  if (!fits) throw invalidTokenError('token_type', 'The token is not an access token');
}

export function acceptedTypes(issuer: IssuerSettings): readonly string[] {
  return issuer.tokenTypes ?? PRESET_FACTS[issuer.preset].tokenTypes;
}

/**
 * A token without an audience is rejected, unless the issuer is introspected with `accept_missing_audience`.
 * @throws AppError `token_audience`
 */
export function checkAudience(claims: Claims, issuer: IssuerSettings): void {
  const audience = PRESET_FACTS[issuer.preset].audienceOf(claims);
  if (audience === undefined && issuer.introspection?.acceptsMissingAudience === true) return;
  const named = Array.isArray(audience) ? (audience as unknown[]) : [audience];
  if (!named.some((one) => typeof one === 'string' && issuer.audience.includes(one))) {
    throw invalidTokenError('token_audience', 'The token is for another audience');
  }
}

/** @throws AppError `token_type` if a genuine token is not an access token. */
export function checkTokenKind(claims: Claims, issuer: IssuerSettings): void {
  const isForeignKind = FOREIGN_CLAIMS.some((name) => claims[name] !== undefined);
  if (isForeignKind || PRESET_FACTS[issuer.preset].rejectTokenKind(claims) !== undefined) {
    throw invalidTokenError('token_type', 'The token is not an access token');
  }
}

/**
 * Checks that depend on the clock; made at each use.
 * @param now Unix time in seconds.
 * @throws AppError `token_expired`, `token_not_yet_valid`; `token_claims` if a time is not a number.
 */
export function checkTimes(claims: Claims, issuer: IssuerSettings, now: number): void {
  const tolerance = issuer.clockToleranceSeconds;
  const { exp, nbf, iat } = timesOf(claims);
  if (nbf !== undefined && nbf > now + tolerance) {
    throw invalidTokenError('token_not_yet_valid', 'The token is not valid yet');
  }
  if (exp <= now - tolerance) throw invalidTokenError('token_expired', 'The token has expired');
  if (iat !== undefined && iat > now + tolerance) {
    throw invalidTokenError('token_not_yet_valid', 'The token was issued in the future');
  }
}

/**
 * @param now substitute for a missing issue time, which introspection may omit.
 * @throws AppError `token_lifetime` if the lifetime is too long, or unknown without `iat` (RFC 9068 section 2.2);
 * `token_claims` if a time is not a number or the lifetime is not positive.
 */
export function checkLifetime(claims: Claims, issuer: IssuerSettings, now: number): void {
  const { exp, iat } = timesOf(claims);
  if (iat === undefined && !issuer.introspection) {
    throw invalidTokenError('token_lifetime', 'The token has no issue time (iat)');
  }
  const lifetime = exp - (iat ?? now);
  if (iat !== undefined && lifetime <= 0) {
    throw invalidTokenError('token_claims', 'The token expires before it was issued');
  }
  const maximum = issuer.maxTokenLifetimeSeconds;
  if (maximum > 0 && !(lifetime <= maximum)) {
    throw invalidTokenError('token_lifetime', 'The lifetime of the token exceeds the limit of this server');
  }
}

function timesOf({ exp, nbf, iat }: Claims): { exp: number; nbf?: number; iat?: number } {
  for (const [name, time] of Object.entries({ nbf, iat })) {
    if (time !== undefined && !isNumber(time)) {
      throw invalidTokenError('token_claims', `The ${name} claim of the token is not a number`);
    }
  }
  if (!isNumber(exp)) {
    throw invalidTokenError('token_claims', 'The exp claim of the token is missing or not a number');
  }
  return { exp, nbf: nbf as number | undefined, iat: iat as number | undefined };
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && !Number.isNaN(value);
}
