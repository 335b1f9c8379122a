import fc from 'fast-check';
import { shareOf } from './fair-share.js';
import { PendingIncrements } from './pending-increments.js';

describe('shareOf', () => {
  it('divides a remainder into whole shares that add up to it', () => {
    const counts = [fc.integer({ min: 0, max: 1_000_000 }), fc.integer({ min: 1, max: 50 })] as const;
    fc.assert(
      fc.property(...counts, (remaining, instances) => {
        const shares = Array.from({ length: instances }, (_, rank) =>
          shareOf(remaining, { instances, rank }),
        );
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(remaining);
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('is zero if the count exceeds the limit', () => {
    expect(shareOf(-5, { instances: 3, rank: 0 })).toBe(0);
  });
});

describe('PendingIncrements', () => {
  it('counts sent calls until they are confirmed or given back', () => {
    const pending = new PendingIncrements();
    pending.add('a', 100, 0);
    pending.add('a', 100, 0);
    expect(pending.pending(1)).toEqual(['a']);
    expect(pending.take('a', 1)).toBe(2);
    expect([pending.take('a', 1), pending.pending(1), pending.of('a', 1)]).toEqual([
      0,
      [],
      { calls: 2, until: 100 },
    ]);
    pending.add('a', 100, 1);
    pending.giveBack('a', 2);
    expect(pending.take('a', 1)).toBe(3);
    pending.confirm('a', 3);
    expect(pending.of('a', 1)).toBeUndefined();
  });

  it('forgets calls when their window ends', () => {
    const pending = new PendingIncrements();
    pending.add('a', 100, 0);
    expect([pending.of('a', 100), pending.take('a', 100), pending.pending(100)]).toEqual([undefined, 0, []]);
  });
});
