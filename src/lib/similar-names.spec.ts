import fc from 'fast-check';
import { nameDistance, nearNames } from './similar-names.js';

it.each<[string, string[], string[]]>([
  ['alcie', ['bob', 'alice', 'carol'], ['alice']],
  ['Alice', ['alice', 'alicia'], ['alice', 'alicia']],
  ['alice', ['alice@example.com', 'bob@example.com'], ['alice@example.com']],
  ['nobody', ['alice', 'bob'], []],
  ['x', ['y'], []],
  ['', ['a', ''], []],
  ['aaaa', ['aaab', 'aaac', 'aaad', 'aaae'], ['aaab', 'aaac', 'aaad']],
  ['a'.repeat(5_000), ['a'.repeat(4_999)], []],
])('nearNames suggests for %p of %j: %j', (wanted, names, expected) => {
  expect(nearNames(wanted, names).filter((name) => name !== '')).toEqual(expected);
});

it('nameDistance is 0 for equal names in any case, and symmetric', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      expect(nameDistance(a, a)).toBe(0);
      expect(nameDistance(a, b)).toBe(nameDistance(b, a));
    }),
  );
});

it('nearNames finds every name with one letter removed, doubled or swapped', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9@.]{4,20}$/), fc.nat({ max: 100 }), (name, seed) => {
      const at = seed % (name.length - 1);
      const typos = [
        name.slice(0, at) + name.slice(at + 1),
        name.slice(0, at) + name[at] + name.slice(at),
        name.slice(0, at) + name[at + 1] + name[at] + name.slice(at + 2),
      ];
      for (const typo of typos) expect(nearNames(typo, [name])).toEqual([name]);
    }),
  );
});
