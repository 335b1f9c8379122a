/** A remote document: fetched, cached, refreshed in the background, and used for a limited time during an outage. */
import type { EventLog } from '../../core/event-logger.js';
import type { LogEvent } from '../../core/log-events.js';
import { backoffDelay } from '../../lib/backoff.js';
import { rootMessage } from '../../lib/root-cause.js';
import { withDeadline } from '../../lib/with-timeout.js';
import { identityUnavailable } from '../token-errors.js';

const TIMEOUT_MS = 5_000;
const FIRST_RETRY_MS = 1_000;
/** Short enough for a quick recovery, long enough to spare the issuer. */
const LAST_RETRY_MS = 5_000;
/** Maximum delay of a Node.js timer; a larger one fires immediately. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Log events by kind of document. */
const EVENTS = {
  jwks: {
    stale: 'jwks.refresh_failed',
    expired: 'jwks.expired',
    unavailable: 'jwks.unavailable',
    refreshed: 'jwks.refreshed',
  },
  issuer_metadata: {
    stale: 'issuer_metadata.refresh_failed',
    expired: 'issuer_metadata.expired',
    unavailable: 'issuer_metadata.unavailable',
    refreshed: 'issuer_metadata.refreshed',
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, LogEvent>>>>;

export interface RemoteDocumentOptions<T> {
  /** Selects the log events. */
  readonly subject: keyof typeof EVENTS;
  /** Name in log lines; without secrets. */
  readonly name: string;
  /**
   * One fetch. Its error is logged by root cause; {@link DocumentInvalidated} discards the current value. A result
   * after `signal` is dropped.
   */
  load(signal: AbortSignal): Promise<T>;
  /** Maximum delay of a change while the origin is available. */
  readonly refreshMs: number;
  /** Maximum age of the last value while the origin is unavailable. */
  readonly maxAgeMs: number;
  /** Default 5,000. */
  readonly timeoutMs?: number;
  readonly log: EventLog;
}

/** The origin answered that the document no longer exists. The current value is discarded. */
export class DocumentInvalidated extends Error {}

export interface DocumentStatus {
  /** `stale`: usable, but the last refresh failed or is overdue. `none`: not usable. */
  readonly state: 'fresh' | 'stale' | 'none';
  /** Unix time in ms of the start of the fetch. */
  readonly loadedAt: number | null;
  /** Unix time in ms. */
  readonly usableUntil: number | null;
}

interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

export class RemoteDocument<T extends object> {
  private kept: { readonly value: T; readonly since: Moment; readonly attempt: number } | undefined;
  /** Attempts since the last success. */
  private failure:
    | { readonly error: unknown; readonly at: Moment; readonly count: number; readonly retryMs: number }
    | undefined;
  private attempt = 0;
  private attemptedAt: Moment | undefined;
  private running: Promise<void> | undefined;
  /** Keeps the deadline of a running fetch from garbage collection. */
  private controller: AbortController | undefined;
  private timer: NodeJS.Timeout | undefined;
  private life: 'idle' | 'started' | 'stopped' = 'idle';
  /** Last logged failure state. */
  private reported: 'stale' | 'none' | undefined;

  constructor(private readonly options: RemoteDocumentOptions<T>) {}

  /**
   * Starts the background refresh: now, then within each `refreshMs` (10 to 25 % earlier, to desynchronize
   * instances); after a failure in 1 s, doubling up to 5 s. The timers do not keep the process alive. No effect when
   * repeated or after `stop()`.
   */
  start(): void {
    if (this.life !== 'idle') return;
    this.life = 'started';
    void this.refresh().catch(() => undefined);
  }

  /** Ends timers and a running fetch permanently. The value stays readable until its maximum age. */
  stop(): void {
    this.life = 'stopped';
    clearTimeout(this.timer);
    this.controller?.abort(new Error(`${this.options.name}: stopped`));
  }

  /**
   * Last good value. Waits for a fetch without a value, and when a refresh is overdue and was not tried (no
   * background refresh, a suspended machine). While refreshes fail it returns without waiting.
   * @throws AppError `identity_unavailable` without a usable value; immediately during backoff.
   */
  async get(): Promise<T> {
    const kept = this.peek();
    if (kept && !this.overdue) {
      if (this.failure && !this.backingOff) void this.refresh().catch(() => undefined);
      return kept;
    }
    if (this.backingOff) throw identityUnavailable(this.failure?.error);
    try {
      await this.refresh();
    } catch (error) {
      if (!this.peek()) throw error;
    }
    const value = this.peek();
    if (!value) throw identityUnavailable(new Error(`${this.options.name}: too old`));
    return value;
  }

  /** Last good value while younger than `maxAgeMs`. Does not fetch. */
  peek(): T | undefined {
    if (this.kept && elapsed(this.kept.since) >= this.options.maxAgeMs) {
      this.kept = undefined;
      if (this.failure) this.report();
    }
    return this.kept?.value;
  }

  /**
   * Fetches, or joins the running fetch. Ignores the backoff: see `backingOff`.
   * @throws AppError `identity_unavailable`; its cause is the error of `load`.
   */
  refresh(): Promise<void> {
    this.running ??= this.fetch().finally(() => (this.running = undefined));
    return this.running;
  }

  status(): DocumentStatus {
    if (!this.peek() || !this.kept) return { state: 'none', loadedAt: null, usableUntil: null };
    const loadedAt = this.kept.since.wall;
    return {
      state: this.failure || this.overdue ? 'stale' : 'fresh',
      loadedAt,
      usableUntil: loadedAt + this.options.maxAgeMs,
    };
  }

  get refreshing(): boolean {
    return this.running !== undefined;
  }

  /** True during the pause after a failed fetch. */
  get backingOff(): boolean {
    return this.failure !== undefined && elapsed(this.failure.at) < this.failure.retryMs;
  }

  /** Error of the last fetch; undefined after a success. */
  get lastError(): unknown {
    return this.failure?.error;
  }

  /** Number of started fetches. */
  get attempts(): number {
    return this.attempt;
  }

  /** Number of the fetch that brought the current value; 0 without one. A fetch reflects the state after its start. */
  get loadedBy(): number {
    return this.kept?.attempt ?? 0;
  }

  /** Milliseconds since the start of the last fetch. */
  get sinceAttemptMs(): number {
    return this.attemptedAt ? elapsed(this.attemptedAt) : Infinity;
  }

  /** True if no fetch has ended, with any result, for `refreshMs`. */
  get overdue(): boolean {
    return !this.failure && (!this.kept || elapsed(this.kept.since) >= this.options.refreshMs);
  }

  private get intervalMs(): number {
    return Math.min(this.options.refreshMs, this.options.maxAgeMs);
  }

  private async fetch(): Promise<void> {
    if (this.life === 'stopped') throw identityUnavailable(new Error(`${this.options.name}: stopped`));
    const since = now();
    const attempt = ++this.attempt;
    this.attemptedAt = since;
    try {
      const value = await this.loadInTime();
      this.succeed({ value, since, attempt });
    } catch (error) {
      this.fail(error);
      throw identityUnavailable(error);
    }
  }

  /** A race beside the signal: a `load` that ignores its signal must not block later fetches. */
  private async loadInTime(): Promise<T> {
    const { timeoutMs = TIMEOUT_MS } = this.options;
    const controller = new AbortController();
    this.controller = controller;
    const { signal } = controller;
    return withDeadline(Promise.race([this.options.load(signal), rejection(signal)]), timeoutMs, () => {
      const late = new Error(`no answer within ${timeoutMs} ms`);
      controller.abort(late);
      return late;
    });
  }

  private succeed(kept: { value: T; since: Moment; attempt: number }): void {
    this.kept = kept;
    this.failure = undefined;
    const { name, subject, log } = this.options;
    if (this.reported) log.write(EVENTS[subject].refreshed, `${name}: available again`);
    this.reported = undefined;
    this.schedule(this.intervalMs * (0.75 + 0.15 * Math.random()));
  }

  private fail(error: unknown): void {
    // A fetch that `stop()` ended gives no information about the origin.
    if (this.life === 'stopped') return;
    const count = (this.failure?.count ?? 0) + 1;
    const retryMs = Math.min(backoffDelay(count, FIRST_RETRY_MS, LAST_RETRY_MS), this.intervalMs);
    this.failure = { error, at: now(), count, retryMs };
    if (error instanceof DocumentInvalidated) this.kept = undefined;
    this.report();
    this.schedule(retryMs);
  }

  private schedule(delayMs: number): void {
    clearTimeout(this.timer);
    if (this.life !== 'started') return;
    const ask = () => void this.refresh().catch(() => undefined);
    this.timer = setTimeout(ask, Math.min(delayMs, LONGEST_TIMER_MS)).unref();
  }

  /** Logs each failure state once, not at each retry. */
  private report(): void {
    const state = this.peek() ? 'stale' : 'none';
    if (state === this.reported) return;
    const { name, subject, log } = this.options;
    const events = EVENTS[subject];
    const cause = rootMessage(this.failure?.error);
    if (state === 'stale') {
      const left = this.options.maxAgeMs - elapsed((this.kept as { since: Moment }).since);
      const seconds = Math.ceil(left / 1_000);
      log.write(
        events.stale,
        `${name}: refresh failed, the cached copy is used for another ${seconds} s: ${cause}`,
      );
    } else if (this.reported === 'stale' && !(this.failure?.error instanceof DocumentInvalidated)) {
      log.write(events.expired, `${name}: the cached copy expired and is no longer used: ${cause}`);
    } else {
      log.write(events.unavailable, `${name}: unavailable: ${cause}`);
    }
    this.reported = state;
  }
}

function now(): Moment {
  return { monotonic: performance.now(), wall: Date.now() };
}

/**
 * Milliseconds since a moment: the larger of two clocks. A wall clock set back does not rejuvenate the value, and a
 * monotonic clock that pauses during suspension does not stop its age.
 */
function elapsed(since: Moment): number {
  return Math.max(performance.now() - since.monotonic, Date.now() - since.wall);
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
