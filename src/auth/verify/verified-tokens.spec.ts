import { type VerifiedToken, VerifiedTokens } from './verified-tokens.js';

const verified = {} as VerifiedToken;

it.each([
  ['many small ones', 100, 10_000],
  ['fewer large ones', 15_000, 1_118],
])('VerifiedTokens keeps %s, the latest ones', (_what, length, most) => {
  const known = new VerifiedTokens();
  const tokens = Array.from({ length: most + 500 }, (_, at) => String(at).padStart(length, 'x'));
  tokens.forEach((token) => known.set(token, verified));
  expect(tokens.filter((token) => known.get(token))).toEqual(tokens.slice(-most));
});
