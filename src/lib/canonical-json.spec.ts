import fc from 'fast-check';
import { canonicalJson, digestOf } from './canonical-json.js';

it.each([
  [{ b: 1, a: [true, null] }, '{"a":[true,null],"b":1}'],
  // RFC 8785 sections 3.2.2 and 3.2.3.
  [
    {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      literals: [null, true, false],
    },
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}',
  ],
  [
    { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 },
    '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}',
  ],
  ['\u000f\n"\\', '"\\u000f\\n\\"\\\\"'],
  [{}, '{}'],
])('canonicalJson serializes %j as RFC 8785 requires', (value, expected) => {
  expect(canonicalJson(value)).toBe(expected);
});

it('canonicalJson ignores the order of keys and reflects every other change', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (value, key) => {
      const reversed = Object.fromEntries(Object.entries(value).reverse());
      expect(digestOf(reversed)).toBe(digestOf(value));
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      fc.pre(key !== '__proto__' && !Object.hasOwn(value, key));
      expect(digestOf({ ...value, [key]: 1 })).not.toBe(digestOf(value));
    }),
  );
});
