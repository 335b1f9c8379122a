/** Effects of verified events (CAEP 1.0, RISC 1.0, SSF 1.0): revocations, or a reason without one. Pure. */
import type { JsonObject } from '../../lib/json.js';
import { redactTokens } from '../../lib/redact-tokens.js';
import type { SignalEvent, TransmitterSettings } from '../../config/settings.js';
import type { Revocation } from '../revocation.js';
import type { SecurityEvents } from './read-set.js';
import { invalidSetError } from './set-errors.js';
import { resolveSubject } from './subject.js';

export type EventEffect =
  | { readonly event: string; readonly revocation: Omit<Revocation, 'id'> }
  | {
      readonly event: string;
      readonly revocation: undefined;
      readonly why: string;
      /** The operator should check the stream: events may be missing. */
      readonly isWarning: boolean;
    };

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';
/** SSF under the names of its drafts. */
const STREAM = [
  'https://schemas.openid.net/secevent/ssf/event-type/',
  'https://schemas.openid.net/secevent/sse/event-type/',
  RISC,
];

/** Affected tokens: of one login, or of the user. */
const ENDS: Readonly<Record<SignalEvent, { readonly name: string; readonly ends: 'session' | 'person' }>> = {
  'session-revoked': { name: `${CAEP}session-revoked`, ends: 'session' },
  'token-claims-change': { name: `${CAEP}token-claims-change`, ends: 'session' },
  'assurance-level-change': { name: `${CAEP}assurance-level-change`, ends: 'session' },
  'credential-change': { name: `${CAEP}credential-change`, ends: 'person' },
  'account-disabled': { name: `${RISC}account-disabled`, ends: 'person' },
  'account-purged': { name: `${RISC}account-purged`, ends: 'person' },
  'account-credential-change-required': {
    name: `${RISC}account-credential-change-required`,
    ends: 'person',
  },
  'credential-compromise': { name: `${RISC}credential-compromise`, ends: 'person' },
  'sessions-revoked': { name: `${RISC}sessions-revoked`, ends: 'person' },
};
const BY_NAME = new Map(Object.entries(ENDS).map(([event, { name }]) => [name, event as SignalEvent]));

/** Larger times are milliseconds, as in drafts of CAEP (in seconds: the year 5138). */
const MILLISECONDS_FROM = 100_000_000_000;

/**
 * @param now Unix time in seconds.
 * @returns one effect per event, in order.
 * @throws AppError `access_denied` for a user of another issuer, `invalid_request` for a revoking event with an
 * unusable subject or time. Then no event has an effect.
 */
export function toEffects(set: SecurityEvents, transmitter: TransmitterSettings, now: number): EventEffect[] {
  return [...set.events].map(([event, members]) => effectOf(event, members, set, transmitter, now));
}

function effectOf(
  event: string,
  members: JsonObject,
  set: SecurityEvents,
  transmitter: TransmitterSettings,
  now: number,
): EventEffect {
  const name = BY_NAME.get(event);
  if (name === undefined) return { event, revocation: undefined, ...aboutStream(event, members) };
  if (!transmitter.events.has(name)) {
    return { event, revocation: undefined, why: 'not accepted from this transmitter', isWarning: false };
  }
  if (name === 'assurance-level-change' && members.change_direction === 'increase') {
    return { event, revocation: undefined, why: 'the assurance level increased', isWarning: false };
  }
  const match = resolveSubject(members.subject ?? set.subject, ENDS[name].ends, transmitter);
  if (match.is === 'foreign') {
    throw invalidSetError(
      'access_denied',
      'The subject belongs to another issuer than subject_issuer of this transmitter',
      'token_issuer',
    );
  }
  if (match.is === 'unusable') throw invalidSetError('invalid_request', match.why, 'token_claims');
  return {
    event,
    revocation: {
      ...match.target,
      issuedBefore: timeOf(members, set, now + transmitter.clockToleranceSeconds),
      by: transmitter.issuer,
      reason: `${name} (jti ${redactTokens(set.jti)})`,
    },
  };
}

function aboutStream(event: string, { status }: JsonObject): { why: string; isWarning: boolean } {
  if (STREAM.some((prefix) => event === `${prefix}verification`)) {
    return { why: 'a verification event', isWarning: false };
  }
  if (STREAM.some((prefix) => event === `${prefix}stream-updated`)) {
    return status === 'enabled'
      ? { why: 'the stream is enabled', isWarning: false }
      : { why: `the stream is ${status === 'paused' ? 'paused' : 'disabled'}`, isWarning: true };
  }
  return { why: 'not known here', isWarning: false };
}

/** Time of the event in seconds: of the event, of the token (`toe`), or its issue time. */
function timeOf(members: JsonObject, set: SecurityEvents, latest: number): number {
  const time = members.event_timestamp ?? set.happenedAt ?? set.issuedAt;
  if (typeof time !== 'number' || !Number.isFinite(time) || time < 0) {
    throw invalidSetError(
      'invalid_request',
      'The time of the event is not a number of seconds',
      'token_claims',
    );
  }
  const seconds = Math.floor(time >= MILLISECONDS_FROM ? time / 1000 : time);
  if (seconds > latest) {
    throw invalidSetError('invalid_request', 'The time of the event is in the future', 'token_not_yet_valid');
  }
  return seconds;
}
