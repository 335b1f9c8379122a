/** Calls counted locally during a database outage, until the database has counted them. Pure. */

interface PendingIncrement {
  /** Not sent yet. */
  calls: number;
  /** Sent: to be confirmed or given back. */
  telling: number;
  /** Unix time in milliseconds; expired from then on. */
  readonly until: number;
}

/** Number of keys at which expired ones are removed. */
const MAX_KEYS = 10_000;

export class PendingIncrements {
  private readonly keys = new Map<string, PendingIncrement>();

  /** Calls in the current window, including sent ones, with its end. Undefined: none. */
  of(key: string, now: number): { readonly calls: number; readonly until: number } | undefined {
    const found = this.current(key, now);
    return found && { calls: found.calls + found.telling, until: found.until };
  }

  /** Adds one call. @param until end of the window for its first call. */
  add(key: string, until: number, now: number): void {
    const found = this.current(key, now);
    if (found) {
      found.calls += 1;
      return;
    }
    if (this.keys.size >= MAX_KEYS) {
      for (const [other, one] of this.keys) if (one.until <= now) this.keys.delete(other);
    }
    this.keys.set(key, { calls: 1, telling: 0, until });
  }

  /** Keys with unsent calls. */
  pending(now: number): string[] {
    return [...this.keys].filter(([, { calls, until }]) => calls > 0 && until > now).map(([key]) => key);
  }

  /** Takes the unsent calls; of two concurrent callers only one gets them. */
  take(key: string, now: number): number {
    const found = this.current(key, now);
    if (!found) return 0;
    const { calls } = found;
    found.calls = 0;
    found.telling += calls;
    return calls;
  }

  /** The database has counted them. */
  confirm(key: string, calls: number): void {
    const found = this.keys.get(key);
    if (!found || calls === 0) return;
    found.telling = Math.max(0, found.telling - calls);
    if (found.calls + found.telling === 0) this.keys.delete(key);
  }

  /** The database did not answer. */
  giveBack(key: string, calls: number): void {
    const found = this.keys.get(key);
    if (!found) return;
    const back = Math.min(calls, found.telling);
    found.telling -= back;
    found.calls += back;
  }

  private current(key: string, now: number): PendingIncrement | undefined {
    const found = this.keys.get(key);
    if (found && found.until <= now) this.keys.delete(key);
    return found && found.until > now ? found : undefined;
  }
}
