import fc from 'fast-check';
import { shareOf } from './fair-share.js';

describe('shareOf', () => {
  it.each([
    [10, 1, [10]],
    [10, 2, [5, 5]],
    [10, 3, [4, 3, 3]],
    [2, 3, [1, 1, 0]],
    [0, 3, [0, 0, 0]],
    [-4, 2, [0, 0]],
  ])('divides %i calls between %i instances as %j', (remaining, instances, shares) => {
    expect(shares.map((_share, rank) => shareOf(remaining, { instances, rank }))).toEqual(shares);
  });

  it('assigns exactly the remainder, in shares that differ by at most one call', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.integer({ min: 1, max: 50 }), (remaining, instances) => {
        const shares = Array.from({ length: instances }, (_none, rank) =>
          shareOf(remaining, { instances, rank }),
        );
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(remaining);
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
      }),
    );
  });
});
