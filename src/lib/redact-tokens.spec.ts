import { redactTokens } from './redact-tokens.js';

const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl';

it.each([
  [JWT, '[token]'],
  [`/foo/${JWT}/bar`, '/foo/[token]/bar'],
  [`read ${JWT.slice(0, 40)}`, 'read [token]'],
  ['heyJournalist_of_the_year', 'heyJournalist_of_the_year'],
  [`docs://x?access_token=secret&page=2`, 'docs://x?access_token=[secret]&page=2'],
  ['x?client_secret=a#b', 'x?client_secret=[secret]#b'],
  ['read_customer', 'read_customer'],
  ['eyJ', 'eyJ'],
  ['encode=1', 'encode=1'],
])('redactTokens turns %s into %s', (text, expected) => {
  expect(redactTokens(text)).toBe(expected);
});
