import fc from 'fast-check';
import { AppError } from '../core/app-error.js';
import { readCredential } from './credential.js';

function outcome(headers: readonly string[], query: readonly string[] = []): string {
  try {
    const { scheme, token } = readCredential(headers, query);
    return `${scheme} ${token}`;
  } catch (error) {
    return `${(error as AppError).status} ${(error as AppError).code}`;
  }
}

it.each([
  [['Bearer abc.def-_~+/=='], 'Bearer abc.def-_~+/=='],
  [['bearer abc'], 'Bearer abc'],
  [['BEARER   abc  '], 'Bearer abc'],
  [['DPoP abc'], 'DPoP abc'],
  [['dpop abc'], 'DPoP abc'],
  [['DPoP'], '401 token_missing'],
  [['dpop  '], '401 token_missing'],
  [['DPoP a b'], '400 request_malformed'],
  [['DPoP a', 'Bearer a'], '400 request_malformed'],
  [[], '401 token_missing'],
  [[''], '401 token_missing'],
  [['Basic YTpi'], '401 token_missing'],
  [['Bearerabc'], '401 token_missing'],
  [['Bearer'], '401 token_missing'],
  [['bearer '], '401 token_missing'],
  [['Bearer \t '], '401 token_missing'],
  [['Bearer', 'Bearer'], '400 request_malformed'],
  [['Bearer', 'Bearer a'], '400 request_malformed'],
  [['Bearer ""'], '400 request_malformed'],
  [['Bearer a b'], '400 request_malformed'],
  [['Bearer a, Bearer b'], '400 request_malformed'],
  [['Bearer a=b'], '400 request_malformed'],
  [['Bearer ä'], '400 request_malformed'],
  [['Bearer a', 'Bearer a'], '400 request_malformed'],
])('readCredential reads %j: %s', (headers, expected) => {
  expect(outcome(headers)).toBe(expected);
});

it('readCredential rejects a token in the query with any header', () => {
  expect(outcome(['Bearer a'], ['access_token'])).toBe('400 request_malformed');
  expect(outcome([], ['access_token'])).toBe('400 request_malformed');
  expect(outcome(['Bearer'], ['access_token'])).toBe('400 request_malformed');
});

it('readCredential returns a token only for a scheme and one b64token', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string().map((text) => `Bearer ${text}`),
        fc.string().map((text) => `DPoP ${text}`),
      ),
      (header) => {
        const result = outcome([header]);
        if (!/^40[01] /.test(result)) {
          expect(header).toMatch(/^\s*(bearer|dpop) +[A-Za-z0-9\-._~+/]+=*\s*$/i);
          expect(header).toContain(result.split(' ')[1]);
        }
      },
    ),
    { numRuns: 2000 },
  );
});
