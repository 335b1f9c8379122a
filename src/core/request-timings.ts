/** How long one request spent in each part of the gate: taken along, read once when it is over. */

/** `limits` are all counts of the request together. */
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

  /** What has passed since the last lap was spent on this. */
  mark(stage: Stage): void {
    const to = performance.now();
    this.laps.push({ stage, from: this.last, to });
    this.last = to;
  }
}
