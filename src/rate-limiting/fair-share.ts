/** Divides the remaining calls of a limit between isolated instances. Pure. */

/** Position of this instance among those with the same database. */
export interface Place {
  readonly instances: number;
  /** From 0, unique. */
  readonly rank: number;
}

/** @returns whole calls; the shares of all ranks add up to the remainder. */
export function shareOf(remaining: number, { instances, rank }: Place): number {
  return Math.max(0, Math.floor((remaining + instances - 1 - rank) / instances));
}
