/** Delivers the audit log to one sink: in order, at least once, from where it stood; nobody waits for it. */
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
  /** The file that is written. */
  readonly auditLog: string;
  /** The chain that is written. */
  readonly instance: () => string;
  /** Number of the last record of it that is on the disk; 0 while there is none. */
  readonly lastDurableSeq: () => number;
  readonly log: EventLog;
}

export interface ForwarderStatus {
  readonly name: string;
  /** Records that are on the disk and have not arrived. */
  readonly behind: number;
  /** Since when deliveries fail, RFC 3339; null where the last one arrived. */
  readonly failing_since: string | null;
}

/** Records of one delivery. */
const BATCH = 500;
const POLL_MS = 250;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

export class Forwarder {
  private readonly stopping = new AbortController();
  private last = 0;
  private failingSince: Date | undefined;
  /** Read, and not known to have arrived. */
  private waiting: readonly SinkRecord[] | undefined;
  private running: Promise<void> | undefined;

  constructor(private readonly options: ForwarderOptions) {}

  start(): void {
    // Whatever happens here happens behind the calls, and must never reach them.
    this.running ??= this.run().catch((error: unknown) => this.failed(error));
  }

  /** Number of the last record that arrived; 0 while that is not known. */
  get arrived(): number {
    return this.last;
  }

  /** What has not arrived by then is delivered after the next start. */
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
        // What was read and has not arrived is sent again. Where reading failed, it begins anew: the files may be others.
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
    // A number of another chain says nothing of this one.
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

  /** Whether what arrived last is in the audit log as it arrived; true where its file is gone, and nobody can say. */
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

/** The root of it: "fetch failed" tells nobody anything. Never the address, which may hold a secret. */
function reasonOf(error: unknown): string {
  const { code, message } = (rootCause(error) ?? {}) as ErrorLike;
  // The code of a time-out is a number.
  const reason = typeof code === 'string' ? code : typeof message === 'string' ? message : 'unknown error';
  return reason.slice(0, 200);
}
