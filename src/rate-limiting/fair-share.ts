/** Divides the calls that a limit has left between instances that cannot ask each other. Pure. */

/** This instance among those that count in the same database. */
export interface Place {
  readonly instances: number;
  /** From 0 on; no two instances have the same. */
  readonly rank: number;
}

/** @returns whole calls; the shares of all ranks add up to the remainder. */
export function shareOf(remaining: number, { instances, rank }: Place): number {
  return Math.max(0, Math.floor((remaining + instances - 1 - rank) / instances));
}
