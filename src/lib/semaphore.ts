/** So many at once, and the others in the order of their arrival, for no longer than they like to wait. */

export class Semaphore {
  private taken = 0;
  private readonly queue = new Set<() => void>();

  /** @param waiting how many may wait; whoever comes then is turned away at once. */
  constructor(
    private readonly atOnce: number,
    private readonly waiting = Infinity,
  ) {}

  /**
   * @param turnedAway what is thrown where no turn came in time, or too many wait.
   * @throws the signal's reason where it is aborted while waiting.
   */
  async run<T>(
    work: () => Promise<T>,
    patienceMs: number,
    turnedAway: () => Error,
    signal?: AbortSignal,
  ): Promise<T> {
    if (this.taken >= this.atOnce) {
      if (this.queue.size >= this.waiting) throw turnedAway();
      await this.enqueue(patienceMs, turnedAway, signal);
    } else this.taken += 1;
    try {
      return await work();
    } finally {
      const next = this.queue.values().next().value;
      // A place is handed on, so that nobody who comes later takes it.
      if (next) next();
      else this.taken -= 1;
    }
  }

  private enqueue(
    patienceMs: number,
    turnedAway: () => Error,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.queue.delete(enter);
      };
      const enter = () => {
        leave();
        resolve();
      };
      const abort = () => {
        leave();
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        leave();
        reject(turnedAway());
      }, patienceMs);
      if (signal?.aborted) abort();
      else {
        signal?.addEventListener('abort', abort, { once: true });
        this.queue.add(enter);
      }
    });
  }
}
