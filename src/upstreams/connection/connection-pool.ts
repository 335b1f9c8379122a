/** Connections to one upstream, shared or per caller: opened on demand, closed when idle, paused after failures. */
import { Semaphore } from '../../lib/semaphore.js';
import type { UpstreamSettings } from '../../config/settings.js';
import type { UpstreamCaller } from './upstream-caller.js';
import type { Connection } from './connection.js';
import { Backoff } from '../../lib/backoff.js';
import { UpstreamError, type UpstreamErrorCode } from './upstream-error.js';

export interface ConnectionPoolOptions {
  readonly settings: UpstreamSettings;
  /** Key of the connection of a caller. Connections of different keys share no state. */
  keyOf(caller: UpstreamCaller | undefined): string;
  /** @param ended must be called when the connection ends by itself. @throws UpstreamError */
  open(key: string, caller: UpstreamCaller | undefined, ended: () => void): Promise<Connection>;
}

interface Opened {
  readonly connection: Connection;
  readonly turns: Semaphore;
  readonly since: number;
  calls: number;
  usedAt: number;
  idle?: NodeJS.Timeout;
  /** Accepts no further calls; closes after its last call. */
  isOver?: boolean;
}

export interface Use<T> {
  readonly caller: UpstreamCaller | undefined;
  readonly signal?: AbortSignal;
  /** Maximum wait for a place. */
  readonly patienceMs: number;
  work(connection: Connection): Promise<T>;
  /** True if the next call must open another connection after this error. */
  endsWith?(error: unknown): boolean;
}

/** Sessions at a shared remote server are cheap. */
const MAX_SESSIONS = 1_000;
/** Calls waiting for one connection. */
const MAX_WAITING = 100;
/** A connection that ends earlier counts as failed. */
const STEADY_MS = 10_000;
/** These errors concern one caller; the next one may succeed. */
const OWN_FAULT: readonly UpstreamErrorCode[] = ['credentials', 'unauthorized'];

export class ConnectionPool {
  private readonly opened = new Map<string, Promise<Opened>>();
  /** Closing connections; none may remain at shutdown. */
  private readonly closing = new Set<Promise<void>>();
  /** Ended connections with calls that still run. */
  private readonly discarded = new Set<Opened>();
  private readonly pause = new Backoff();
  private closed = false;

  constructor(private readonly options: ConnectionPoolOptions) {}

  /** @throws UpstreamError; the reason of the signal; errors of the work. */
  async use<T>(use: Use<T>): Promise<T> {
    const key = this.options.keyOf(use.caller);
    const opened = await unlessAborted(this.get(key, use.caller), use.signal);
    opened.calls += 1;
    clearTimeout(opened.idle);
    try {
      const turn = () => use.work(opened.connection);
      const result = await opened.turns.run(turn, use.patienceMs, tooMany, use.signal);
      if (performance.now() - opened.since >= STEADY_MS) this.pause.succeeded();
      return result;
    } catch (error) {
      if (use.endsWith?.(error)) await this.discard(key, opened);
      throw error;
    } finally {
      opened.calls -= 1;
      opened.usedAt = performance.now();
      if (opened.isOver) this.leaveWhenUnused(opened);
      else this.release(key, opened);
    }
  }

  /** Ends the connection of this caller; the next call opens another. */
  drop(caller: UpstreamCaller | undefined): Promise<void> {
    return this.close(this.options.keyOf(caller));
  }

  /** Number of connections. */
  get size(): number {
    return this.opened.size;
  }

  /** Milliseconds; 0 without a pause. */
  get pausedFor(): number {
    return this.pause.left(performance.now());
  }

  /** Resolves when all connections are closed. */
  async closeAll(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.opened.keys()].map((key) => this.close(key)));
    await Promise.all([...this.discarded].map(({ connection }) => connection.close()));
    await Promise.all(this.closing);
  }

  private get(key: string, caller: UpstreamCaller | undefined): Promise<Opened> {
    const known = this.opened.get(key);
    if (known) return known;
    if (this.closed) return Promise.reject(new UpstreamError('unreachable', 'this server is shutting down'));
    const wait = this.pausedFor;
    if (wait > 0) {
      const seconds = Math.ceil(wait / 1000);
      return Promise.reject(
        new UpstreamError('paused', `circuit open after a failure, retry in ${seconds} s`),
      );
    }
    const opening = this.start(key, caller);
    this.opened.set(key, opening);
    opening.catch(() => this.forget(key, opening));
    return opening;
  }

  private async start(key: string, caller: UpstreamCaller | undefined): Promise<Opened> {
    const { settings } = this.options;
    await this.makeRoom();
    const since = performance.now();
    try {
      const connection = await this.options.open(key, caller, () => this.ended(key, since));
      const turns = new Semaphore(settings.concurrency, MAX_WAITING);
      return { connection, turns, since, calls: 0, usedAt: performance.now() };
    } catch (error) {
      const { code } = error as UpstreamError;
      if (!OWN_FAULT.includes(code)) this.pause.failed(performance.now());
      throw error;
    }
  }

  /** @throws UpstreamError `busy` if all connections are in use. */
  private async makeRoom(): Promise<void> {
    const { processes, maxProcesses } = this.options.settings;
    const limit = processes === 'shared' ? MAX_SESSIONS : maxProcesses;
    if (this.opened.size < limit) return;
    const settled = await Promise.all(
      [...this.opened].map(async ([key, opening]) => ({ key, opened: await releasedNow(opening) })),
    );
    const idle = settled
      .filter((one): one is { key: string; opened: Opened } => one.opened?.calls === 0)
      .sort((a, b) => a.opened.usedAt - b.opened.usedAt)
      // A concurrent call may already have closed it.
      .find(({ key }) => this.opened.has(key));
    if (!idle) throw new UpstreamError('busy', 'all connections are in use');
    await this.close(idle.key);
  }

  /** Only this connection: a new one may have replaced it. */
  private async discard(key: string, opened: Opened): Promise<void> {
    const current = this.opened.get(key);
    if (opened.isOver || !current || (await releasedNow(current)) !== opened) return;
    if (this.opened.get(key) !== current) return;
    this.opened.delete(key);
    opened.isOver = true;
    clearTimeout(opened.idle);
    this.discarded.add(opened);
  }

  private leaveWhenUnused(opened: Opened): void {
    if (opened.calls > 0 || !this.discarded.delete(opened)) return;
    const closing = opened.connection.close().finally(() => this.closing.delete(closing));
    this.closing.add(closing);
  }

  private ended(key: string, since: number): void {
    if (performance.now() - since < STEADY_MS) this.pause.failed(performance.now());
    void this.close(key);
  }

  /** Unused connections of callers end after the idle time; the shared one stays. */
  private release(key: string, opened: Opened): void {
    const { processes, transport, idleMs } = this.options.settings;
    if (opened.calls > 0 || (processes === 'shared' && transport === 'stdio') || this.closed) return;
    opened.idle = setTimeout(() => void this.close(key), idleMs).unref();
  }

  private close(key: string): Promise<void> {
    const opening = this.opened.get(key);
    if (!opening) return Promise.resolve();
    this.opened.delete(key);
    const closing = opening
      .then(
        ({ connection, idle }) => {
          clearTimeout(idle);
          return connection.close();
        },
        () => undefined,
      )
      .finally(() => this.closing.delete(closing));
    this.closing.add(closing);
    return closing;
  }

  private forget(key: string, opening: Promise<Opened>): void {
    if (this.opened.get(key) === opening) this.opened.delete(key);
  }
}

function tooMany(): UpstreamError {
  return new UpstreamError('busy', 'too many calls wait for it');
}

/** Undefined if pending or rejected. */
function releasedNow<T>(promise: Promise<T>): Promise<T | undefined> {
  const soon = new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)));
  return Promise.race([promise.catch(() => undefined), soon]);
}

/** Other callers may share the promise, so it continues. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  signal.throwIfAborted();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (abort) signal.removeEventListener('abort', abort);
  }
}
