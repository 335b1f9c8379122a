/** Delivers the audit log to one sink in the background: in order, at least once, from the last position. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLog } from '../../core/event-logger.js';
import { backoffDelay } from '../../lib/backoff.js';
import { rootCause, type ErrorLike } from '../../lib/root-cause.js';
import { LogReader } from './log-reader.js';
import type { Cursor, CursorFile } from './cursor.js';
import type { SinkRecord, Sink } from './sink.js';

export interface ForwarderOptions {
  readonly name: string;
  readonly sink: Sink;
  readonly cursor: CursorFile;
  /** Path of the current file. */
  readonly auditLog: string;
  /** Identity of the current chain. */
  readonly instance: () => string;
  /** Sequence number of its last durable record; 0 for an empty chain. */
  readonly lastDurableSeq: () => number;
  readonly log: EventLog;
}

export interface ForwarderStatus {
  readonly name: string;
  /** Number of durable records that are not delivered. */
  readonly behind: number;
  /** Start of the current series of failures, RFC 3339; null if the last delivery succeeded. */
  readonly failing_since: string | null;
}

/** Maximum number of records in one delivery. */
const BATCH = 500;
const POLL_MS = 250;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

export class Forwarder {
  private readonly stopping = new AbortController();
  private last = 0;
  private failingSince: Date | undefined;
  /** Records read whose delivery is not confirmed. */
  private waiting: readonly SinkRecord[] | undefined;
  private running: Promise<void> | undefined;

  constructor(private readonly options: ForwarderOptions) {}

  start(): void {
    // Catches every error: a delivery failure must never affect calls.
    this.running ??= this.run().catch((error: unknown) => this.failed(error));
  }

  /** Sequence number of the last delivered record; 0 while unknown. */
  get arrived(): number {
    return this.last;
  }

  /** Stops delivery. The remaining records are delivered after the next start. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    await this.options.sink.close();
  }

  status(): ForwarderStatus {
    const { name, lastDurableSeq } = this.options;
    return {
      name,
      behind: Math.max(0, lastDurableSeq() - this.arrived),
      failing_since: this.failingSince?.toISOString() ?? null,
    };
  }

  private async run(): Promise<void> {
    let reader: LogReader | undefined;
    for (let failures = 0; !this.stopping.signal.aborted;) {
      try {
        if (this.options.lastDurableSeq() === 0) {
          await this.pause(POLL_MS);
          continue;
        }
        reader ??= await this.follow();
        const delivered = await this.deliver(reader);
        if (failures > 0 && delivered) this.recovered();
        if (delivered) failures = 0;
        else await this.pause(POLL_MS);
      } catch (error) {
        failures += 1;
        this.failed(error);
        // Sends an unconfirmed batch again. After a read failure, reopens the files, which may have
        // changed.
        if (!this.waiting) {
          await reader?.close();
          reader = undefined;
        }
        await this.pause(backoffDelay(failures, FIRST_RETRY_MS, LAST_RETRY_MS));
      }
    }
    await reader?.close();
  }

  private async follow(): Promise<LogReader> {
    const { auditLog, cursor, name, log, instance } = this.options;
    const kept = await cursor.read();
    // A position of another chain does not apply to this one.
    const isOfThis = kept?.instance === instance();
    if (kept && !isOfThis) {
      const message = `Sink ${name}: the audit log is a new chain, delivery starts at its first record`;
      log.write('sink.chain_changed', message);
    }
    this.last = isOfThis ? (kept?.seq ?? 0) : 0;
    if (kept && isOfThis && !(await this.stillHas(kept))) {
      log.write(
        'sink.log_rewritten',
        `Sink ${name}: delivered record ${kept.seq} differs or is missing, the audit log was cut or rewritten; all records are delivered again`,
      );
      this.last = 0;
    }
    const reader = new LogReader(auditLog, this.arrived + 1);
    const oldest = await reader.oldest();
    if (oldest > this.arrived + 1) {
      if (this.arrived > 0) {
        log.write(
          'sink.records_missing',
          `Sink ${name}: records ${this.arrived + 1} to ${oldest - 1} were deleted from the audit log before their delivery`,
        );
      }
      this.last = oldest - 1;
      await reader.skipTo(oldest);
    }
    return reader;
  }

  /** Whether the last delivered record is unchanged in the audit log; true if its file was deleted. */
  private async stillHas({ seq, hash }: Cursor): Promise<boolean> {
    const { auditLog, lastDurableSeq } = this.options;
    if (seq > lastDurableSeq()) return false;
    const reader = new LogReader(auditLog, seq);
    try {
      if ((await reader.oldest()) > seq) return true;
      const [delivered] = await reader.read(1, lastDurableSeq());
      return hash === undefined || delivered?.record.hash === hash;
    } finally {
      await reader.close();
    }
  }

  private async deliver(reader: LogReader): Promise<boolean> {
    const { sink, cursor, lastDurableSeq } = this.options;
    const records = this.waiting ?? (await reader.read(BATCH, lastDurableSeq()));
    const last = records.at(-1)?.record;
    if (!last) return false;
    this.waiting = records;
    await sink.deliver(records);
    this.last = last.seq;
    await cursor.write({ instance: last.instance, seq: last.seq, hash: last.hash });
    this.waiting = undefined;
    return true;
  }

  private failed(error: unknown): void {
    if (this.failingSince) return;
    this.failingSince = new Date();
    const { name, log } = this.options;
    log.write('sink.delivery_failed', `Sink ${name}: delivery failed, records wait: ${reasonOf(error)}`);
  }

  private recovered(): void {
    this.failingSince = undefined;
    const { name, log } = this.options;
    log.write('sink.delivery_recovered', `Sink ${name}: delivery resumed`);
  }

  private async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.stopping.signal, ref: false }).catch(() => undefined);
  }
}

/** Root cause of the error. Never the address, which may contain a secret. */
function reasonOf(error: unknown): string {
  const { code, message } = (rootCause(error) ?? {}) as ErrorLike;
  // The `code` of a DOMException time-out is a number.
  const reason = typeof code === 'string' ? code : typeof message === 'string' ? message : 'unknown error';
  return reason.slice(0, 200);
}
