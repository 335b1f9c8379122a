/** Progress of commands over two seconds, on a terminal. */

const AFTER_MS = 2_000;

/** Required part of stderr. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly write: (text: string) => unknown;
}

/** Prints the activity after two seconds, later ones at once. Silent without a terminal. */
export class Progress {
  private activity: string | undefined;
  private isLate = false;
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(private readonly output: ProgressOutput) {
    this.timer = output.isTTY ? setTimeout(() => this.begin(), AFTER_MS) : undefined;
    this.timer?.unref();
  }

  /** @param activity such as `Asking fix`; without control characters. */
  report(activity: string): void {
    this.activity = activity;
    if (this.isLate) this.print();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.isLate = false;
  }

  private begin(): void {
    this.isLate = true;
    this.print();
  }

  private print(): void {
    if (this.activity !== undefined) this.output.write(`${this.activity} …\n`);
  }
}
