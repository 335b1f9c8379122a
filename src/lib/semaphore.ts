/** FIFO semaphore with a queue limit and a wait timeout. */

export class Semaphore {
  private taken = 0;
  private readonly queue = new Set<() => void>();

  /** @param waiting maximum length of the queue; further callers are rejected at once. */
  constructor(
    private readonly atOnce: number,
    private readonly waiting = Infinity,
  ) {}

  /**
   * @param turnedAway creates the error for a timeout or a full queue.
   * @throws the reason of the signal if it is aborted while waiting.
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
      // The place passes to the next waiter, so a new caller cannot take it.
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
