import fc from 'fast-check';
import { dropNullClaims } from './drop-null-claims.js';

it.each([
  [{ nbf: null, sub: 'alice' }, { sub: 'alice' }],
  [{ act: { sub: 'a', iss: null, act: null } }, { act: { sub: 'a' } }],
  [{ realm_access: { roles: null } }, { realm_access: {} }],
  [{ cnf: { jkt: null } }, { cnf: {} }],
  [{ roles: [null, 'admin', { a: null }] }, { roles: [null, 'admin', { a: null }] }],
  [JSON.parse('{"__proto__":{"a":null},"b":1}'), JSON.parse('{"__proto__":{},"b":1}')],
])('dropNullClaims changes %j to %j', (claims, expected) => {
  expect(JSON.stringify(dropNullClaims(claims))).toBe(JSON.stringify(expected));
});

it('dropNullClaims keeps null members deeper than 32 levels', () => {
  const nested = (depth: number): object => (depth === 0 ? { end: null } : { in: nested(depth - 1) });
  const holds = (depth: number) => JSON.stringify(dropNullClaims({ claim: nested(depth) })).includes('null');
  expect([holds(30), holds(31)]).toEqual([false, true]);
  const text = `{"claim":${'{"a":'.repeat(100_000)}null${'}'.repeat(100_000)}}`;
  expect(dropNullClaims(JSON.parse(text) as object as Record<string, unknown>)).toHaveProperty('claim');
});

it('dropNullClaims removes null members only', () => {
  const value = fc.jsonValue().filter((one) => !JSON.stringify(one).includes('null'));
  fc.assert(
    fc.property(fc.dictionary(fc.string(), value), (claims) => {
      expect(JSON.stringify(dropNullClaims(claims))).toBe(JSON.stringify(claims));
    }),
  );
});
