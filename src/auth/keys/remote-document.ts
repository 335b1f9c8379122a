/** A document of somebody else's: fetched, kept, kept fresh, and kept usable for a while when it cannot be had. */
import type { EventLog } from '../../core/event-logger.js';
import type { LogEvent } from '../../core/log-events.js';
import { backoffDelay } from '../../lib/backoff.js';
import { rootMessage } from '../../lib/root-cause.js';
import { withDeadline } from '../../lib/with-timeout.js';
import { identityUnavailable } from '../token-errors.js';

const TIMEOUT_MS = 5_000;
const FIRST_RETRY_MS = 1_000;
/** Often enough that nobody waits long for an issuer that is back, seldom enough to let it come back. */
const LAST_RETRY_MS = 5_000;
/** What a timer of Node can hold; above it, it would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Log events by the kind of document. */
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
  /** For logs; holds no secret. */
  readonly name: string;
  /** One fetch. What it throws is logged by its root cause, and {@link DocumentInvalidated} ends the use of what is known; a result after `signal` is dropped. */
  load(signal: AbortSignal): Promise<T>;
  /** A change at the origin is seen within this time, while the origin answers. */
  readonly refreshMs: number;
  /** While the origin does not answer, the last good value is used up to this age. */
  readonly maxAgeMs: number;
  /** Default 5,000. */
  readonly timeoutMs?: number;
  readonly log: EventLog;
}

/** The origin answered, and what was there is there no longer: nothing that was known is used any more. */
export class DocumentInvalidated extends Error {}

export interface DocumentStatus {
  /** `stale`: usable, but the last refresh failed or is overdue. `none`: nothing that may be used. */
  readonly state: 'fresh' | 'stale' | 'none';
  /** Unix time in ms at which the fetch of the usable value began. */
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
  /** Of the attempts since the last success. */
  private failure:
    | { readonly error: unknown; readonly at: Moment; readonly count: number; readonly retryMs: number }
    | undefined;
  private attempt = 0;
  private attemptedAt: Moment | undefined;
  private running: Promise<void> | undefined;
  /** Held here, so that the deadline of a running fetch is never garbage. */
  private controller: AbortController | undefined;
  private timer: NodeJS.Timeout | undefined;
  private life: 'idle' | 'started' | 'stopped' = 'idle';
  /** What the log was last told, where it was bad news. */
  private reported: 'stale' | 'none' | undefined;

  constructor(private readonly options: RemoteDocumentOptions<T>) {}

  /**
   * Begins to fetch in the background: now, then within each `refreshMs` (earlier by 10 to 25 %, so that instances do
   * not ask in step, and so that the answer is there in time); after a failure in 1 s, doubling up to 5 s. The timers
   * do not keep the process alive. Has no effect a second time, or after `stop()`.
   */
  start(): void {
    if (this.life !== 'idle') return;
    this.life = 'started';
    void this.refresh().catch(() => undefined);
  }

  /** For good: ends timers and a running fetch. What is kept stays readable while it is young enough. */
  stop(): void {
    this.life = 'stopped';
    clearTimeout(this.timer);
    this.controller?.abort(new Error(`${this.options.name}: stopped`));
  }

  /**
   * The last good value. Waits for a fetch where there is none, and where a refresh is overdue and none was tried
   * (no background fetching, a suspended machine); while refreshes fail it is served without waiting.
   * @throws AppError `identity_unavailable` where nothing may be used; at once while backing off after a failure.
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

  /** The last good value while it is younger than `maxAgeMs`. Fetches nothing. */
  peek(): T | undefined {
    if (this.kept && elapsed(this.kept.since) >= this.options.maxAgeMs) {
      this.kept = undefined;
      if (this.failure) this.report();
    }
    return this.kept?.value;
  }

  /**
   * Fetches, or joins the fetch that is running. Does not ask whether it is backing off: see `backingOff`.
   * @throws AppError `identity_unavailable`, its cause is what `load` threw.
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

  /** Whether the last fetch failed so short a time ago that another one would be hammering. */
  get backingOff(): boolean {
    return this.failure !== undefined && elapsed(this.failure.at) < this.failure.retryMs;
  }

  /** What the last fetch threw; undefined where it succeeded. */
  get lastError(): unknown {
    return this.failure?.error;
  }

  /** How many fetches were begun. */
  get attempts(): number {
    return this.attempt;
  }

  /** Which of them brought the value that is kept; 0 where none is. A fetch sees what was true after it was begun. */
  get loadedBy(): number {
    return this.kept?.attempt ?? 0;
  }

  /** Since the last fetch was begun, in ms. */
  get sinceAttemptMs(): number {
    return this.attemptedAt ? elapsed(this.attemptedAt) : Infinity;
  }

  /** Whether there may be news that nobody has asked for: no fetch has ended, well or badly, for `refreshMs`. */
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

  /** Raced, not only signalled: a `load` that does not listen would otherwise hold up every later one. */
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
    // The end of a fetch by `stop()` says nothing about the origin.
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

  /** Bad news, once each: not with every retry. */
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
 * Since a moment, in ms: the larger of what two clocks say. A wall clock that is set back makes nothing younger, and
 * a monotonic clock that stands still while the machine is suspended does not stop the age.
 */
function elapsed(since: Moment): number {
  return Math.max(performance.now() - since.monotonic, Date.now() - since.wall);
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
