import fc from 'fast-check';
import { isClaimPath, readClaim } from './claim-path.js';

const CLAIMS = {
  roles: ['a'],
  realm_access: { roles: ['b'] },
  'https://example.com/roles': ['c'],
  resource_access: { 'my.client': { roles: ['d'] }, 'a/b~c': 'e' },
  'cognito:groups': ['f'],
  empty: null,
};

it.each([
  ['roles', ['a']],
  ['/roles', ['a']],
  ['/realm_access/roles', ['b']],
  ['https://example.com/roles', ['c']],
  ['/resource_access/my.client/roles', ['d']],
  ['/resource_access/a~1b~0c', 'e'],
  ['cognito:groups', ['f']],
  ['empty', null],
  ['/empty/x', undefined],
  ['/roles/0', undefined],
  ['/roles/length', undefined],
  ['toString', undefined],
  ['__proto__', undefined],
  ['/realm_access/constructor', undefined],
  ['missing', undefined],
])('readClaim reads %s', (path, expected) => {
  expect(isClaimPath(path)).toBe(true);
  expect(readClaim(CLAIMS, path)).toEqual(expected);
});

it.each(['', ' ', '/', '//a', '/a/', '/a//b', 'a.b', 'realm_access/roles', '/a~b', 'a\n', ' a', 'ftp://x/y'])(
  'isClaimPath rejects %j',
  (path) => {
    expect(isClaimPath(path)).toBe(false);
  },
);

it('readClaim reads own members only, for random paths and claims', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.anything()), fc.string(), (claims, path) => {
      const value = readClaim(claims, path);
      if (!path.startsWith('/')) expect(value).toBe(Object.hasOwn(claims, path) ? claims[path] : undefined);
    }),
  );
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (outer, inner) => {
      const escape = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1');
      const claims = JSON.parse(`{${JSON.stringify(outer)}:{${JSON.stringify(inner)}:7}}`) as Record<
        string,
        unknown
      >;
      expect(readClaim(claims, `/${escape(outer)}/${escape(inner)}`)).toBe(7);
    }),
  );
});
