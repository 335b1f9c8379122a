/** Time limits for promises. They do not cancel the work; the caller passes a signal for that. */

/** Resolves to undefined after `milliseconds`. Does not cancel `promise`. */
export function withTimeout<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  return limited<T | undefined>(promise, milliseconds, (resolve) => resolve(undefined));
}

/**
 * Rejects with `late()` after `milliseconds`. A later rejection of `promise` is ignored.
 * @param late called once, at the time limit; it may abort the work.
 */
export function withDeadline<T>(promise: Promise<T>, milliseconds: number, late: () => Error): Promise<T> {
  return limited(promise, milliseconds, (_resolve, reject) => reject(late()));
}

function limited<T>(
  promise: Promise<T>,
  milliseconds: number,
  onLimit: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => onLimit(resolve, reject), milliseconds);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error as Error);
      },
    );
  });
}
