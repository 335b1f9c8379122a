/** Attempts in order of preference, without waiting for one that hangs. */
import { withTimeout } from './with-timeout.js';

type Outcome<T> = { readonly value: T } | { readonly errors: readonly unknown[] };
type Attempt<T> = () => Promise<T>;

/**
 * Result of the preferred attempt that succeeds. The next attempt starts after a failure or after `patienceMs`. A
 * result waits as long for the attempts before it, so the order of preference is stable. Attempts that still run are
 * not cancelled; each must end by itself.
 * @throws AggregateError with the error of each attempt, in their order.
 */
export async function preferFirst<T>(
  attempts: readonly [Attempt<T>, ...Attempt<T>[]],
  patienceMs: number,
): Promise<T> {
  const outcome = await outcomeOf(attempts, patienceMs);
  if ('value' in outcome) return outcome.value;
  throw new AggregateError(outcome.errors, 'Every attempt failed');
}

async function outcomeOf<T>(
  [first, next, ...rest]: readonly [Attempt<T>, ...Attempt<T>[]],
  patienceMs: number,
): Promise<Outcome<T>> {
  const own = settled(first());
  if (!next) return own;
  const early = await withTimeout(own, patienceMs);
  if (early && 'value' in early) return early;
  const later = outcomeOf([next, ...rest], patienceMs);
  const sooner = early ? await later : await Promise.race([own, later]);
  if ('value' in sooner) {
    const preferred = await withTimeout(own, patienceMs);
    return preferred && 'value' in preferred ? preferred : sooner;
  }
  const [one, other] = await Promise.all([own, later]);
  if ('value' in one) return one;
  return 'value' in other ? other : { errors: [...one.errors, ...other.errors] };
}

function settled<T>(promise: Promise<T>): Promise<Outcome<T>> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ errors: [error] }),
  );
}
