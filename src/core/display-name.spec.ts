import fc from 'fast-check';
import { isWellFormed } from '../lib/well-formed.js';
import { displayName } from './display-name.js';

it.each([
  ['alice', 'alice'],
  ['Алиса Müller ', 'Алиса Müller'],
  ['a\r\nb\tc\u0000', 'abc'],
  ['a\u2028b  c', 'a b c'],
  ['admin\u202Egnp.exe', 'admingnp.exe'],
  ['\u200B\u2066', undefined],
  ['  ', undefined],
  ['', undefined],
  [null, undefined],
  [undefined, undefined],
  [7, undefined],
  [['alice'], undefined],
  [{ name: 'alice' }, undefined],
  [`x eyJhbGciOiJFUzI1NiIsImtpZCI6.eyJzdWIi.c2ln`, 'x [token]'],
])('displayName shows %j as %j', (value, expected) => {
  expect(displayName(value)).toBe(expected);
});

it('displayName returns one line of at most 128 well-formed characters for random claims', () => {
  fc.assert(
    fc.property(fc.anything({ maxDepth: 1 }), fc.string({ unit: 'binary', maxLength: 400 }), (any, text) => {
      for (const name of [displayName(any), displayName(text), displayName(text.repeat(50))]) {
        if (name === undefined) continue;
        expect(name.length).toBeLessThanOrEqual(128);
        expect(name).not.toMatch(/\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/u);
        expect(isWellFormed(name)).toBe(true);
      }
    }),
  );
});
