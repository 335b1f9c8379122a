/** Time of one request in each stage, read at its end. */

/** `limits`: all rate limits and quotas of the request. */
export type Stage = 'authentication' | 'limits' | 'decision' | 'record';

export interface Lap {
  readonly stage: Stage;
  /** Monotonic, in milliseconds. */
  readonly from: number;
  readonly to: number;
}

export class RequestTimings {
  readonly started = performance.now();
  readonly laps: Lap[] = [];
  private last = this.started;

  /** Assigns the time since the last mark to `stage`. */
  mark(stage: Stage): void {
    const to = performance.now();
    this.laps.push({ stage, from: this.last, to });
    this.last = to;
  }
}
