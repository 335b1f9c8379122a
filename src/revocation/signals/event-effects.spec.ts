import fc from 'fast-check';
import type { ProtectedHeaderParameters } from 'jose';
import { AppError } from '../../core/app-error.js';
import { SIGNAL_EVENTS, type TransmitterSettings } from '../../config/settings.js';
import { checkHeader, readSet } from './read-set.js';
import { toEffects } from './event-effects.js';

const ISSUER = 'https://login.example.com';
const NOW = 1_795_000_000;
const TRANSMITTER: TransmitterSettings = {
  issuer: 'https://signals.example.com',
  audience: ['urn:gate', 'urn:other'],
  jwksUri: undefined,
  algorithms: ['ES256'],
  authorization: undefined,
  subjectIssuer: ISSUER,
  emailIsSubject: false,
  events: new Set(SIGNAL_EVENTS),
  clockToleranceSeconds: 5,
  perMinute: 1,
};
const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';
const ALICE = { format: 'iss_sub', iss: ISSUER, sub: 'alice' };
const MALLORY = { format: 'iss_sub', iss: 'https://other.example.com', sub: 'alice' };
const LOGIN = { format: 'opaque', id: 'sid-1' };

const read = (claims: object, one: Partial<TransmitterSettings> = {}) =>
  readSet({ aud: 'urn:gate', iat: NOW, jti: 'j', events: {}, ...claims }, { ...TRANSMITTER, ...one }, NOW);
const effects = (claims: object, one: Partial<TransmitterSettings> = {}) =>
  toEffects(read(claims, one), { ...TRANSMITTER, ...one }, NOW);

/** Effect of one event. */
function effect(name: string, claims: object, members: object = {}, one: Partial<TransmitterSettings> = {}) {
  try {
    const [effect] = effects({ events: { [name]: members }, ...claims }, one);
    if (!effect?.revocation) return effect?.why;
    const { kind, issuer, value, issuedBefore } = effect.revocation;
    expect(issuer).toBe(ISSUER);
    return [kind, value, issuedBefore];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.body?.err;
  }
}

describe('toEffects: affected tokens', () => {
  const SESSION = `${CAEP}session-revoked`;
  const DISABLED = `${RISC}account-disabled`;
  it.each<[string, object, unknown]>([
    [SESSION, ALICE, ['subject', 'alice', NOW]],
    [SESSION, LOGIN, ['session', 'sid-1', NOW]],
    [SESSION, { format: 'complex', user: ALICE, session: LOGIN }, ['session', 'sid-1', NOW]],
    [SESSION, { user: ALICE, session: LOGIN }, ['session', 'sid-1', NOW]],
    [
      SESSION,
      { format: 'complex', user: ALICE, session: { format: 'uri', uri: 'x' } },
      ['subject', 'alice', NOW],
    ],
    [SESSION, { format: 'complex', session: LOGIN }, ['session', 'sid-1', NOW]],
    [SESSION, { format: 'jwt_id', iss: ISSUER, jti: 't' }, ['token', 't', NOW]],
    [SESSION, { format: 'complex', user: MALLORY, session: LOGIN }, 'access_denied'],
    [SESSION, { format: 'complex', device: ALICE }, 'invalid_request'],
    [SESSION, { format: 'complex' }, 'invalid_request'],
    // An account event affects all tokens of the user.
    [DISABLED, { format: 'complex', user: ALICE, session: LOGIN }, ['subject', 'alice', NOW]],
    [DISABLED, { format: 'complex', user: { format: 'did', url: 'x' }, session: LOGIN }, 'invalid_request'],
    [DISABLED, LOGIN, 'invalid_request'],
    [DISABLED, MALLORY, 'access_denied'],
    [DISABLED, { format: 'iss_sub', sub: 'alice' }, 'access_denied'],
    [DISABLED, { format: 'jwt_id', iss: 'https://other.example.com', jti: 't' }, 'access_denied'],
    [DISABLED, { format: 'email', email: 'a@example.com' }, 'invalid_request'],
    [DISABLED, { format: 'account', uri: 'acct:a@example.com' }, 'invalid_request'],
    [DISABLED, { format: 'iss_sub', iss: ISSUER, sub: '' }, 'invalid_request'],
    [DISABLED, { format: 'iss_sub', iss: ISSUER, sub: 'a\0b' }, 'invalid_request'],
    [DISABLED, { format: 'iss_sub', iss: ISSUER, sub: '\ud800' }, 'invalid_request'],
    [DISABLED, { format: 'iss_sub', iss: ISSUER, sub: 7 }, 'invalid_request'],
    [
      DISABLED,
      { format: 'aliases', identifiers: [{ format: 'email', email: 'a@b' }, ALICE] },
      ['subject', 'alice', NOW],
    ],
    [DISABLED, { format: 'aliases', identifiers: [MALLORY] }, 'access_denied'],
    [
      DISABLED,
      { format: 'aliases', identifiers: [{ format: 'aliases', identifiers: [ALICE] }] },
      'invalid_request',
    ],
    [DISABLED, { format: 'aliases' }, 'invalid_request'],
    [DISABLED, [], 'invalid_request'],
  ])('%s of %j', (name, sub_id, expected) => {
    expect(effect(name, { sub_id })).toEqual(expected);
    // Older position of the subject.
    expect(effect(name, {}, { subject: sub_id })).toEqual(expected);
  });

  it('revokes by e-mail address with email_is_subject', () => {
    const sub_id = { format: 'email', email: 'a@example.com' };
    expect(effect(DISABLED, { sub_id }, {}, { emailIsSubject: true })).toEqual([
      'subject',
      'a@example.com',
      NOW,
    ]);
  });

  it('revokes no token for an event that the operator did not list', () => {
    const events = new Set(['session-revoked'] as const);
    expect(effect(DISABLED, { sub_id: ALICE }, {}, { events })).toBe('not accepted from this transmitter');
  });

  it('revokes no token if one of several events concerns another issuer', () => {
    const events = { [SESSION]: { subject: ALICE }, [DISABLED]: { subject: MALLORY } };
    expect(() => effects({ events })).toThrow('belongs to another issuer');
  });
});

it.each<[object, object, unknown]>([
  [{}, {}, NOW],
  [{ toe: NOW - 5 }, {}, NOW - 5],
  [{ toe: NOW - 5 }, { event_timestamp: NOW - 9.5 }, NOW - 10],
  [{}, { event_timestamp: (NOW - 9) * 1000 + 1 }, NOW - 9],
  [{}, { event_timestamp: NOW + 5 }, NOW + 5],
  [{}, { event_timestamp: 0 }, 0],
  [{}, { event_timestamp: NOW + 6 }, 'invalid_request'],
  [{}, { event_timestamp: (NOW + 60) * 1000 }, 'invalid_request'],
  [{}, { event_timestamp: -1 }, 'invalid_request'],
  [{}, { event_timestamp: '2026-11-24' }, 'invalid_request'],
  [{ toe: {} }, {}, 'invalid_request'],
])('reads the time of %j and %j', (claims, members, expected) => {
  const found = effect(`${CAEP}session-revoked`, { sub_id: ALICE, ...claims }, members);
  expect(Array.isArray(found) ? found[2] : found).toEqual(expected);
});

it.each<[object, string]>([
  [{ aud: undefined }, 'invalid_audience'],
  [{ aud: 'urn:gate2' }, 'invalid_audience'],
  [{ aud: [['urn:gate']] }, 'invalid_audience'],
  [{ iat: undefined }, 'invalid_request'],
  [{ iat: '1' }, 'invalid_request'],
  [{ iat: NOW + 6 }, 'invalid_request'],
  [{ jti: undefined }, 'invalid_request'],
  [{ jti: '' }, 'invalid_request'],
  [{ jti: 'x'.repeat(1_001) }, 'invalid_request'],
  [{ events: undefined }, 'invalid_request'],
  [{ events: {} }, 'invalid_request'],
  [{ events: [] }, 'invalid_request'],
  [{ events: { x: null } }, 'invalid_request'],
  [{ events: { x: 'y' } }, 'invalid_request'],
  [{ events: { 'x\0': {} } }, 'invalid_request'],
  [{ events: Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`e${at}`, {}])) }, 'invalid_request'],
])('rejects %j', (claims, err) => {
  expect(() => read({ events: { x: {} }, ...claims })).toThrow(
    expect.objectContaining({ status: 400, body: expect.objectContaining({ err }) }) as AppError,
  );
});

it.each<[ProtectedHeaderParameters, string | undefined]>([
  [{ typ: 'secevent+jwt', alg: 'ES256' }, undefined],
  [{ typ: 'application/secevent+jwt', alg: 'ES256' }, undefined],
  [{ typ: 'SecEvent+JWT', alg: 'ES256' }, undefined],
  [{ typ: 'JWT', alg: 'ES256' }, 'token_type'],
  [{ typ: 'at+jwt', alg: 'ES256' }, 'token_type'],
  [{ typ: 'logout+jwt', alg: 'ES256' }, 'token_type'],
  [{ alg: 'ES256' }, 'token_type'],
  [{ typ: 'secevent+jwt', alg: 'none' }, 'token_algorithm'],
  [{ typ: 'secevent+jwt', alg: 'HS256' }, 'token_algorithm'],
  [{ typ: 'secevent+jwt' }, 'token_algorithm'],
  [{ typ: 'secevent+jwt', alg: 'ES256', crit: ['b64'] }, 'token_malformed'],
])('checks the header %j', (header, code) => {
  const check = () => checkHeader(header, TRANSMITTER);
  if (code === undefined) expect(check()).toBe('ES256');
  else expect(check).toThrow(expect.objectContaining({ code }) as AppError);
});

describe('toEffects with random input', () => {
  const name = fc.constantFrom(
    ...[...SIGNAL_EVENTS].flatMap((event) => [`${CAEP}${event}`, `${RISC}${event}`]),
    '__proto__',
    'constructor',
  );
  const text = fc.constantFrom(ISSUER, 'https://other.example.com', 'alice', '', '\0', 'a@example.com');
  const format = fc.constantFrom(
    'iss_sub',
    'iss-sub',
    'opaque',
    'email',
    'jwt_id',
    'aliases',
    'complex',
    'account',
  );
  const identifier = fc.record(
    { format, subject_type: format, iss: text, sub: text, id: text, jti: text, email: text },
    { requiredKeys: [] },
  );
  const subject = fc.oneof(
    identifier,
    fc.record({ format, user: identifier, session: identifier, device: identifier }, { requiredKeys: [] }),
    fc.record({ format: fc.constant('aliases'), identifiers: fc.array(identifier, { maxLength: 3 }) }),
    fc.jsonValue(),
  );
  const members = fc.record(
    {
      subject,
      event_timestamp: fc.oneof(fc.double(), fc.jsonValue(), fc.nat(2 * NOW)),
      change_direction: fc.string(),
      status: fc.string(),
    },
    { requiredKeys: [] },
  );
  const claims = fc.record({
    sub_id: subject,
    toe: fc.oneof(fc.constant(undefined), fc.jsonValue()),
    events: fc.oneof(fc.dictionary(fc.oneof(name, fc.string()), members, { maxKeys: 4 }), fc.jsonValue()),
  });

  it('affects users of its issuer only, never in the future, or rejects with an RFC 8935 error', () => {
    fc.assert(
      fc.property(claims, fc.boolean(), (given, emailIsSubject) => {
        try {
          for (const { revocation } of effects(given, { emailIsSubject })) {
            if (!revocation) continue;
            expect(revocation.issuer).toBe(ISSUER);
            expect(['subject', 'session', 'token']).toContain(revocation.kind);
            expect(revocation.value).toMatch(/^[^\0]+$/);
            expect(Number.isSafeInteger(revocation.issuedBefore)).toBe(true);
            expect(revocation.issuedBefore).toBeGreaterThanOrEqual(0);
            expect(revocation.issuedBefore).toBeLessThanOrEqual(NOW + 5);
          }
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
          expect(error.status).toBe(400);
          expect(['invalid_request', 'access_denied']).toContain(error.body?.err);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('never affects a user of another issuer', () => {
    const foreign = fc.record({
      format: fc.constantFrom('iss_sub', 'iss-sub'),
      iss: fc.oneof(fc.jsonValue(), fc.constantFrom(`${ISSUER}/`, ISSUER.toUpperCase())),
      sub: text,
    });
    fc.assert(
      fc.property(name, foreign, members, (event, user, more) => {
        fc.pre(user.iss !== ISSUER && event.startsWith('https:'));
        const { subject: _subject, ...rest } = more;
        for (const sub_id of [
          user,
          { format: 'complex', user, session: LOGIN },
          { format: 'aliases', identifiers: [user] },
        ]) {
          const found = effect(event, { sub_id }, rest);
          expect(Array.isArray(found)).toBe(false);
        }
      }),
    );
  });
});
