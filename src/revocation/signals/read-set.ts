/** Checks and reads a verified security event token (RFC 8417, RFC 8725, SSF 1.0 section 4). Pure. */
import type { ProtectedHeaderParameters } from 'jose';
import { acceptsAlgorithm } from '../../auth/algorithms.js';
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import { isWellFormed } from '../../lib/well-formed.js';
import type { TransmitterSettings } from '../../config/settings.js';
import { invalidSetError } from './set-errors.js';

export interface SecurityEvents {
  /** Unique per transmitter. */
  readonly jti: string;
  /** Unix time in seconds. */
  readonly issuedAt: number;
  /** Time of the event (`toe`), unchecked; undefined if absent. */
  readonly happenedAt: unknown;
  /** Subject (`sub_id`), unchecked. */
  readonly subject: unknown;
  /** Events by full name; at least one. */
  readonly events: ReadonlyMap<string, JsonObject>;
}

/** A token describes one occurrence; more events are invalid. */
const MAX_EVENTS = 20;
const MAX_TEXT = 1_000;

/**
 * @throws AppError `invalid_request` for another kind of token, `invalid_key` for an algorithm that is not accepted.
 */
export function checkHeader({ typ, alg, crit }: ProtectedHeaderParameters, one: TransmitterSettings): string {
  // Prevents the use of access tokens, ID tokens and logout tokens of the same issuer as events.
  if (typeof typ !== 'string' || typ.toLowerCase().replace(/^application\//, '') !== 'secevent+jwt') {
    throw invalidSetError('invalid_request', 'The typ of the token is not secevent+jwt', 'token_type');
  }
  if (typeof alg !== 'string' || !acceptsAlgorithm(one.algorithms, alg)) {
    throw invalidSetError(
      'invalid_key',
      'The token is signed with an algorithm that is not accepted',
      'token_algorithm',
    );
  }
  if (crit !== undefined) {
    throw invalidSetError('invalid_request', 'The token has critical header extensions', 'token_malformed');
  }
  return alg;
}

/**
 * `exp` is ignored: events do not expire (RFC 8417 section 2.2).
 * @param claims of a verified token.
 * @throws AppError `invalid_audience`, `invalid_request`.
 */
export function readSet(claims: JsonObject, transmitter: TransmitterSettings, now: number): SecurityEvents {
  const { aud, iat, jti, toe, events, sub_id: subject } = claims;
  const audience: unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audience.some((one) => typeof one === 'string' && transmitter.audience.includes(one))) {
    throw invalidSetError('invalid_audience', 'The token is for another audience', 'token_audience');
  }
  if (typeof iat !== 'number' || !Number.isFinite(iat)) {
    throw invalidSetError(
      'invalid_request',
      'The iat of the token is missing or not a number',
      'token_claims',
    );
  }
  if (iat > now + transmitter.clockToleranceSeconds) {
    throw invalidSetError('invalid_request', 'The token was issued in the future', 'token_not_yet_valid');
  }
  if (!isText(jti)) {
    throw invalidSetError(
      'invalid_request',
      `The jti of the token is missing or not a string of at most ${MAX_TEXT} characters`,
      'token_claims',
    );
  }
  const entries = isJsonObject(events) ? Object.entries(events) : [];
  if (
    entries.length === 0 ||
    entries.length > MAX_EVENTS ||
    !entries.every(([name, event]) => isText(name) && isJsonObject(event))
  ) {
    throw invalidSetError(
      'invalid_request',
      `The events of the token must be 1 to ${MAX_EVENTS} names with an object each`,
      'token_claims',
    );
  }
  return {
    jti,
    issuedAt: iat,
    happenedAt: toe,
    subject,
    events: new Map(entries as [string, JsonObject][]),
  };
}

/** A text that database and records accept. */
export function isText(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.length <= MAX_TEXT &&
    !value.includes('\0') &&
    isWellFormed(value)
  );
}
