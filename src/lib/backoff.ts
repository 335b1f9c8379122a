/** How long an upstream that fails is left alone: not at all at first, then longer each time, so that it is not started over and over. */

const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;

export class Backoff {
  private failures = 0;
  private until = 0;

  /** @param now monotonic, in milliseconds. */
  failed(now: number): void {
    this.failures += 1;
    const pause = this.failures === 1 ? 0 : Math.min(FIRST_MS * 2 ** (this.failures - 2), LONGEST_MS);
    // Instances that lost the same upstream do not all come back at the same moment.
    this.until = now + pause * (0.8 + Math.random() * 0.4);
  }

  succeeded(): void {
    this.failures = 0;
    this.until = 0;
  }

  /** In milliseconds; 0 where nothing is to be waited for. */
  left(now: number): number {
    return Math.max(0, this.until - now);
  }
}
