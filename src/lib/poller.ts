/** Repeated background work. */

export interface Poller {
  /** Ends the repetition; a current run continues. */
  stop(): void;
}

/**
 * Runs `work` every `everyMs` milliseconds, first after one interval. Skips a tick while the previous run is pending.
 * The timer does not keep the process alive.
 * @param work handles its own errors: a thrown error ends the process like any unhandled error.
 */
export function startPoller(work: () => unknown, everyMs: number): Poller {
  let isRunning = false;
  const timer = setInterval(() => {
    if (isRunning) return;
    const run = work();
    if (!(run instanceof Promise)) return;
    isRunning = true;
    void run.finally(() => (isRunning = false));
  }, everyMs).unref();
  return { stop: () => clearInterval(timer) };
}
