/** Work that is repeated in the background. */

export interface Poller {
  /** Ends the repetition; work that runs goes on. */
  stop(): void;
}

/**
 * Runs `work` every `everyMs` milliseconds, for the first time after the first interval. Runs do not overlap: a tick is
 * skipped while the promise of the last run is pending. The timer does not keep the process alive.
 * @param work handles its own errors: an error that it throws ends the process like every unhandled one.
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
