/** Calls that an instance let pass while the database was away, until the database has counted them. Pure. */

interface PendingIncrement {
  /** Not on their way to the database. */
  calls: number;
  /** On their way: counted there, or given back. */
  telling: number;
  /** Milliseconds since the epoch; from then on they count no more. */
  readonly until: number;
}

/** Beyond this number of keys, expired ones are looked for and forgotten. */
const MAX_KEYS = 10_000;

export class PendingIncrements {
  private readonly keys = new Map<string, PendingIncrement>();

  /** How many passed in the current window, those on their way included; with its end. Undefined: none. */
  of(key: string, now: number): { readonly calls: number; readonly until: number } | undefined {
    const found = this.current(key, now);
    return found && { calls: found.calls + found.telling, until: found.until };
  }

  /** One more passes. @param until end of the window, where it is the first. */
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

  /** Keys with calls that are not on their way. */
  pending(now: number): string[] {
    return [...this.keys].filter(([, { calls, until }]) => calls > 0 && until > now).map(([key]) => key);
  }

  /** Takes those that are not on their way yet, so that of two at once only one tells them. */
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

  /** The database has not answered. */
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
