import fc from 'fast-check';
import { duration, formatList, formatRelativeTime, quote } from './format-text.js';

it.each<[unknown, string]>([
  ['a b', '"a b"'],
  ['a"b\\', '"a\\"b\\\\"'],
  ['\u001b[31m', '"\\u{1b}[31m"'],
  ['a\u202eb\u00a0c\nd', '"a\\u{202e}b\\u{a0}c\\u{a}d"'],
  ['x'.repeat(300), `"${'x'.repeat(200)}…"`],
  [undefined, 'nothing'],
  [null, 'null'],
  [7, 'a number'],
  [{ a: 1 }, 'an object'],
  [['a', 7, ['b']], '"a", a number, a list'],
  [[], 'none'],
])('quote shows %j as %s', (value, shown) => {
  expect(quote(value)).toBe(shown);
});

it('formatList shows the start of a long list', () => {
  expect(formatList(Array.from({ length: 20 }, (_, index) => `r${index}`))).toMatch(/"r11" and 8 more$/);
});

it('removes cursor movements and invisible characters from random text', () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      expect(quote(value)).not.toMatch(/\p{C}|[\p{Zl}\p{Zp}]/u);
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      expect(quote(value)).not.toMatch(/\p{C}|[\p{Zl}\p{Zp}]/u);
    }),
  );
});

it.each([
  [0, '0 s'],
  [59.6, '1 min'],
  [90, '1 min 30 s'],
  [3600, '1 h'],
  [3601, '1 h'],
  [5400, '1 h 30 min'],
  [86_400 * 3 + 7200, '3 d 2 h'],
  [Infinity, 'no end of time'],
])('duration shows %d seconds as %s', (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});

it('formatRelativeTime shows a time relative to now', () => {
  expect([formatRelativeTime(100, 160), formatRelativeTime(160, 100)]).toEqual(['1 min ago', 'in 1 min']);
});
