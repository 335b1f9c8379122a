/** Exponential backoff: pauses between repeated attempts. */

const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;

/**
 * @param failures consecutive failures, from 1.
 * @returns milliseconds: `firstMs`, doubled with each further failure, at most `longestMs`.
 */
export function backoffDelay(failures: number, firstMs: number, longestMs: number): number {
  return Math.min(firstMs * 2 ** (failures - 1), longestMs);
}

/** Remembers failures. The first one causes no pause, the following ones pause for 1 s up to 60 s, with 20 % jitter. */
export class Backoff {
  private failures = 0;
  private until = 0;

  /** @param now monotonic, in milliseconds. */
  failed(now: number): void {
    this.failures += 1;
    const pause = this.failures === 1 ? 0 : backoffDelay(this.failures - 1, FIRST_MS, LONGEST_MS);
    // Jitter keeps instances that lost the same upstream from retrying together.
    this.until = now + pause * (0.8 + Math.random() * 0.4);
  }

  succeeded(): void {
    this.failures = 0;
    this.until = 0;
  }

  /** Rest of the pause in milliseconds; 0 without a pause. @param now monotonic, in milliseconds. */
  left(now: number): number {
    return Math.max(0, this.until - now);
  }
}
