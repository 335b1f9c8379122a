import fc from 'fast-check';
import { AppError } from '../../core/app-error.js';
import { ISSUER_DEFAULTS } from '../../config/identity-file.js';
import type { IssuerSettings } from '../../config/settings.js';
import {
  checkAlgorithm,
  checkAudience,
  checkLifetime,
  checkTokenKind,
  checkTimes,
  checkType,
} from './check-token.js';

const AUDIENCE = 'https://gate.example.com/mcp';
const ISSUER: IssuerSettings = { ...ISSUER_DEFAULTS, issuer: 'https://i.example', audience: [AUDIENCE] };
const INTROSPECTED: IssuerSettings = {
  ...ISSUER,
  introspection: {
    endpoint: undefined,
    clientId: 'gate',
    authentication: { method: 'client_secret_basic', secret: 'x' },
    cacheSeconds: 0,
  },
};
const NOW = 1_000_000;

function reason(check: () => void): string {
  try {
    check();
    return 'fine';
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.status).toBe(401);
    return error.code;
  }
}

it.each([
  [{ alg: 'ES256' }, 'fine'],
  [{ alg: 'HS256' }, 'token_algorithm'],
  [{ alg: 'none' }, 'token_algorithm'],
  [{ alg: 'es256' }, 'token_algorithm'],
  [{}, 'token_algorithm'],
  [{ alg: ['ES256'] }, 'token_algorithm'],
  [{ alg: 'ES256', crit: [] }, 'token_malformed'],
  [{ alg: 'ES256', crit: ['b64'], b64: false }, 'token_malformed'],
])('checkAlgorithm of %j: %s', (header, expected) => {
  expect(reason(() => checkAlgorithm(header as never, ISSUER))).toBe(expected);
});

it.each([
  [{ typ: 'at+jwt' }, undefined, 'fine'],
  [{ typ: 'Application/AT+jwt' }, undefined, 'fine'],
  [{ typ: 'JWT' }, undefined, 'token_type'],
  [{}, undefined, 'token_type'],
  [{ typ: 'JWT' }, ['jwt'], 'fine'],
  [{ typ: 'at+jwt' }, ['jwt'], 'token_type'],
  [{}, ['jwt', 'none'], 'fine'],
  [{ typ: 'none' }, ['none'], 'token_type'],
  [{ typ: '' }, ['none'], 'token_type'],
  [{ typ: null }, ['none'], 'token_type'],
  [{ typ: ['jwt'] }, ['jwt'], 'token_type'],
] as const)('checkType of %j with accepted %j: %s', (header, tokenTypes, expected) => {
  expect(reason(() => checkType(header as never, { ...ISSUER, tokenTypes }))).toBe(expected);
});

it.each([
  [AUDIENCE, 'fine'],
  [['x', AUDIENCE], 'fine'],
  [`${AUDIENCE}/`, 'token_audience'],
  [[], 'token_audience'],
  [[[AUDIENCE]], 'token_audience'],
  [{ [AUDIENCE]: true }, 'token_audience'],
  [null, 'token_audience'],
  [undefined, 'token_audience'],
])('checkAudience of %j: %s', (aud, expected) => {
  expect(reason(() => checkAudience({ aud, client_id: AUDIENCE }, ISSUER))).toBe(expected);
});

it.each(['at_hash', 'c_hash', 's_hash', 'events', 'sub_id', 'htm', 'htu', 'ath', 'nonce'])(
  'checkTokenKind rejects a token with %s',
  (name) => {
    expect(reason(() => checkTokenKind({ [name]: 'x' }, ISSUER))).toBe('token_type');
  },
);

it.each([
  [{ exp: NOW + 1 }, 'fine'],
  [{ exp: NOW - 4 }, 'fine'],
  [{ exp: NOW - 5 }, 'token_expired'],
  [{ exp: 0 }, 'token_expired'],
  [{ exp: NOW + 1, nbf: NOW + 5 }, 'fine'],
  [{ exp: NOW + 1, nbf: NOW + 6 }, 'token_not_yet_valid'],
  [{ exp: NOW + 1, iat: NOW + 5 }, 'fine'],
  [{ exp: NOW + 1, iat: NOW + 6 }, 'token_not_yet_valid'],
  [{}, 'token_claims'],
  [{ exp: null }, 'token_claims'],
  [{ exp: '9' }, 'token_claims'],
  [{ exp: NOW + 1, nbf: null }, 'token_claims'],
  [{ exp: NOW + 1, nbf: '0' }, 'token_claims'],
  [{ exp: NOW + 1, iat: '0' }, 'token_claims'],
  [{ exp: Number.NaN }, 'token_claims'],
])('checkTimes of %j: %s', (claims, expected) => {
  expect(reason(() => checkTimes(claims, ISSUER, NOW))).toBe(expected);
});

it.each([
  [{ iat: NOW, exp: NOW + 3600 }, ISSUER, 'fine'],
  [{ iat: NOW, exp: NOW + 3601 }, ISSUER, 'token_lifetime'],
  [{ iat: NOW, exp: NOW }, ISSUER, 'token_claims'],
  [{ iat: NOW, exp: NOW - 1 }, ISSUER, 'token_claims'],
  [{ exp: NOW + 1 }, ISSUER, 'token_lifetime'],
  [{ exp: NOW + 1 }, { ...ISSUER, maxTokenLifetimeSeconds: 0 }, 'token_lifetime'],
  [{ iat: -Infinity, exp: Infinity }, ISSUER, 'token_lifetime'],
  [{ iat: Infinity, exp: Infinity }, ISSUER, 'token_lifetime'],
  [{ iat: 0, exp: NOW }, { ...ISSUER, maxTokenLifetimeSeconds: 0 }, 'fine'],
  [{ exp: NOW + 3600 }, INTROSPECTED, 'fine'],
  [{ exp: NOW + 3601 }, INTROSPECTED, 'token_lifetime'],
  [{ iat: NOW - 3600, exp: NOW + 1 }, INTROSPECTED, 'token_lifetime'],
] as const)('checkLifetime of %j: %s', (claims, issuer, expected) => {
  expect(reason(() => checkLifetime(claims, issuer, NOW))).toBe(expected);
});

it('all checks throw only AppError for random claims', () => {
  const claims = fc.dictionary(
    fc.constantFrom('exp', 'iat', 'nbf', 'aud', 'nonce', 'typ', 'token_use'),
    fc.anything(),
  );
  fc.assert(
    fc.property(claims, fc.double(), (some, now) => {
      for (const check of [checkTimes, checkLifetime]) reason(() => check(some, ISSUER, now));
      for (const check of [checkAudience, checkTokenKind]) reason(() => check(some, ISSUER));
    }),
  );
});
