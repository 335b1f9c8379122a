/** The audit log of one instance: appends records in order and resolves when they are chained and durable. */
import { realpath, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { LogEvent } from '../core/log-events.js';
import { makeFolder, syncFolder } from '../lib/durable-file.js';
import { acquireFileLock } from '../lib/file-lock.js';
import type { JsonObject } from '../lib/json.js';
import { startPoller, type Poller } from '../lib/poller.js';
import { AppendFile } from './append-file.js';
import { archiveName } from './audit-log-files.js';
import { appendToChain, type ChainHead } from './append-to-chain.js';
import type { AuditRecord, Checkpoint } from './record.js';
import { RECORD_START, recover, type Recovered } from './recover.js';
import type { SigningKey } from './signing-key.js';

export interface AuditLogOptions {
  readonly file: string;
  /** Called while the lock is held. The recovered state shows whether the key has signed before. */
  readonly key: (before: Recovered) => SigningKey | Promise<SigningKey>;
  /** Identity of the chain; used only for a new chain. */
  readonly instance: string;
  /** File size in bytes that triggers rotation; 0 disables rotation by size. */
  readonly rotateBytes: number;
  /** Rotates the file when the UTC day of its first record has ended. */
  readonly rotateDaily: boolean;
  readonly now: () => Date;
  /** Returns the cached canonical JSON of a fragment, if known. */
  readonly textOf?: (part: object) => string | undefined;
  /** Called for each signed checkpoint. A copy kept elsewhere reveals later truncation. */
  readonly onCheckpoint: (seq: number, hash: string) => void;
  /** Called for failures of operations without a waiting caller. */
  readonly onError: (error: unknown, event: AuditLogFault) => void;
}

/** Events of failures that no caller waits for. */
export type AuditLogFault = Extract<LogEvent, 'audit.end_not_signed' | 'audit.rotation_failed'>;

/** A record on its way to the disk. */
export interface Entry {
  /**
   * Resolves when the record is durable. Rejects if the write failed; then the file contains no part of it.
   */
  readonly written: Promise<void>;
  /**
   * Removes the record from the queue; `written` then never settles. False if the write has started or
   * ended.
   */
  withdraw(): boolean;
}

interface Waiting {
  readonly record: AuditRecord;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Maximum number of queued records; further ones are rejected immediately. */
const MAX_WAITING = 20_000;
/** Maximum delay of an unawaited record, in milliseconds. */
const LATE_MS = 10;
/** Maximum number of records in one write. */
const MAX_BATCH = 1_000;
/**
 * Interval between checkpoints, in records and in milliseconds. Later changes to signed records are
 * detectable.
 */
const CHECKPOINT_EVERY = 1_000;
const CHECKPOINT_AFTER_MS = 60_000;
/** Duration in milliseconds after which a disk operation counts as stalled. */
const STALL_MS = 5_000;
/** Step of the stall counter. A blocked event loop adds only one step, regardless of its duration. */
const STALL_STEP_MS = 500;
/** Delay in milliseconds before a failed rotation is retried. The current file grows meanwhile. */
const ROTATE_AGAIN_MS = 60_000;
/**
 * Starts like a record, so recovery removes it after a crash. Larger than the free space left by chance on
 * a full disk.
 */
const PROBE = Buffer.from(RECORD_START.padEnd(64 * 1024), 'utf8');

export class AuditLog {
  private readonly queue: Waiting[] = [];
  /** Ids of allowed calls that have not ended. */
  private readonly running: Set<string>;
  private configuration: JsonObject | undefined;
  private end: ChainHead;
  private first: Recovered['first'];
  /** Tail of the queue of file operations, which run one at a time. */
  private last: Promise<unknown> = Promise.resolve();
  private flushIsDue = false;
  private isWriting = false;
  private lateFlush: NodeJS.Timeout | undefined;
  private checkpointIsDue = false;
  /** Number of records after the last checkpoint. */
  private unsigned = 0;
  private rotateAfter = 0;
  private closed = false;
  /** Result of the last file operation; undefined before the first. */
  private healthy: boolean | undefined;
  private readonly pollers: readonly Poller[];
  /** Records of the write in progress. */
  private batch: readonly Waiting[] = [];
  /** Duration of the current file operation in units of STALL_STEP_MS; undefined between operations. */
  private steps: number | undefined;
  /** The current operation exceeds STALL_MS. Its records were rejected, so a late success is undone. */
  private stalled = false;

  private constructor(
    private readonly options: AuditLogOptions,
    /** Signs the checkpoints of this run. */
    readonly key: SigningKey,
    /** Identity of the chain; unchanged by restarts. */
    readonly instance: string,
    /** State recovered from the previous run. */
    readonly before: Recovered,
    private readonly lock: { release(): Promise<void> },
    /** Undefined between two files. */
    private file: AppendFile | undefined,
  ) {
    this.end = before.end ?? { seq: 0, hash: null };
    this.first = before.first;
    this.running = new Set(before.unfinished.map(({ id }) => id as string));
    this.configuration = before.configuration;
    this.pollers = [
      startPoller(() => this.signLately(), CHECKPOINT_AFTER_MS),
      startPoller(() => this.watch(), STALL_STEP_MS),
    ];
  }

  /**
   * Opens and locks the audit log, and continues its chain. Truncates a partial last line, which was never
   * acknowledged.
   * @throws Error if the file is not writable, is locked by another process, or does not end in a valid
   * record.
   */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    await makeFolder(dirname(options.file));
    // One lock per file, even if several paths lead to it.
    const path = await realpath(options.file).catch(async () =>
      join(await realpath(dirname(options.file)), basename(options.file)),
    );
    const lock = await acquireFileLock(`${path}.lock`);
    let file: AppendFile | undefined;
    try {
      const before = await recover(path);
      const key = await options.key(before);
      file = await AppendFile.open(path);
      if (before.size < file.size) await file.cut(before.size);
      const instance = before.end?.instance ?? options.instance;
      return new AuditLog({ ...options, file: path }, key, instance, before, lock, file);
    } catch (error) {
      await file?.close();
      await lock.release();
      throw error;
    }
  }

  /**
   * Queues a record. Records queued at the same time share one write and one fsync.
   * @param flushNow false: the record waits for the next write, for at most LATE_MS.
   */
  append(record: AuditRecord, flushNow = true): Entry {
    if (this.closed) return refused('The audit log is closed');
    if (this.stalled) return refused('The disk of the audit log gives no answer');
    if (this.queue.length >= MAX_WAITING) return refused('Too many records wait for the disk');
    const { queue } = this;
    let withdraw = () => false;
    const written = new Promise<void>((done, failed) => {
      const pendingCount: Waiting = { record, done, failed };
      queue.push(pendingCount);
      withdraw = () => {
        const at = queue.indexOf(pendingCount);
        if (at >= 0) queue.splice(at, 1);
        return at >= 0;
      };
    });
    if (flushNow) this.flushSoon();
    else this.lateFlush ??= setTimeout(() => this.flushSoon(), LATE_MS).unref();
    return { written, withdraw };
  }

  /** Sequence number of the last durable record; 0 for an empty chain. */
  get reach(): number {
    return this.end.seq;
  }

  /**
   * Whether a write would succeed: the result of the last write, or of a probe if that failed or none has
   * run.
   */
  async writable(): Promise<boolean> {
    if (this.closed || this.stalled) return false;
    if (this.healthy !== true) await this.serialize(() => this.tryOut());
    return this.healthy === true;
  }

  /** Writes all queued records, signs the closing checkpoint and closes the file. */
  async close(): Promise<void> {
    this.closed = true;
    this.pollers.forEach((poller) => poller.stop());
    clearTimeout(this.lateFlush);
    await this.serialize(() => this.finish()).catch((error: unknown) =>
      this.options.onError(error, 'audit.end_not_signed'),
    );
    await this.file?.close();
    await this.lock.release();
  }

  private async finish(): Promise<void> {
    while (this.queue.length > 0) await this.flush();
    await this.put([], 'close');
  }

  private signLately(): void {
    if (this.unsigned === 0) return;
    this.checkpointIsDue = true;
    this.flushSoon();
  }

  private flushSoon(): void {
    if (this.flushIsDue) return;
    this.flushIsDue = true;
    // Records that arrive during a write are flushed directly after it.
    void this.serialize(this.isWriting ? () => this.flush() : () => this.flushBatch());
  }

  /** Waits one event loop turn, so that requests that have already arrived share the write. */
  private async flushBatch(): Promise<void> {
    await new Promise(setImmediate);
    await this.flush();
  }

  private serialize<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.last.then(async () => {
      this.steps = 0;
      try {
        return await task();
      } finally {
        this.steps = undefined;
        this.stalled = false;
      }
    });
    this.last = turn.catch(() => undefined);
    return turn;
  }

  /**
   * Rejects the waiting records when an operation exceeds STALL_MS; `append` rejects further ones until it
   * ends.
   */
  private watch(): void {
    if (this.steps === undefined || this.stalled) return;
    this.steps += 1;
    if (this.steps * STALL_STEP_MS < STALL_MS) return;
    this.stalled = true;
    this.healthy = false;
    const error = new Error(`The disk of the audit log has given no answer for ${STALL_MS / 1000} s`);
    for (const { failed } of [...this.batch, ...this.queue.splice(0)]) failed(error);
  }

  private async flush(): Promise<void> {
    this.flushIsDue = false;
    clearTimeout(this.lateFlush);
    this.lateFlush = undefined;
    const batch = this.queue.splice(0, MAX_BATCH);
    this.batch = batch;
    if (this.queue.length > 0) this.flushSoon();
    this.isWriting = true;
    try {
      await this.rotateIfDue();
      const isDue = this.checkpointIsDue || this.unsigned + batch.length >= CHECKPOINT_EVERY;
      const records = batch.map(({ record }) => record);
      await this.put(records, isDue ? 'interval' : undefined);
      this.steps = undefined;
      const tell = () => batch.forEach(({ done }) => done());
      // Starts the next write before the callers of this one continue.
      if (this.flushIsDue) setImmediate(tell);
      else tell();
    } catch (error) {
      this.healthy = false;
      batch.forEach(({ failed }) => failed(error));
    } finally {
      this.isWriting = false;
      this.batch = [];
    }
  }

  private async tryOut(): Promise<void> {
    const file = await this.current().catch(() => undefined);
    this.healthy = (await file?.probeWrite(PROBE)) === true && !this.stalled;
  }

  /** Writes records and an optional checkpoint. The chain advances only when they are durable. */
  private async put(records: readonly AuditRecord[], kind?: Checkpoint['kind']): Promise<void> {
    const file = await this.current();
    const all = [
      ...(file.size === 0 ? [this.checkpoint('open', [])] : []),
      ...records,
      ...(kind ? [this.checkpoint(kind, records)] : []),
    ];
    if (all.length === 0) return;
    const { key } = this;
    const { now, textOf } = this.options;
    const time = now().toISOString();
    const { text, end } = appendToChain(all, this.end, {
      instance: this.instance,
      key,
      time,
      ...(textOf && { textOf }),
    });
    await this.write(file, Buffer.from(text, 'utf8'));
    this.healthy = true;
    this.first ??= { seq: this.end.seq + 1, time };
    this.end = end;
    note(this.running, records);
    this.configuration = configurationIn(records) ?? this.configuration;
    this.unsigned = kind ? 0 : this.unsigned + records.length;
    if (!kind) return;
    this.checkpointIsDue = false;
    this.options.onCheckpoint(end.seq, end.hash ?? '');
  }

  /** @throws Error after STALL_MS. Bytes that the disk writes later are truncated. */
  private async write(file: AppendFile, bytes: Buffer): Promise<void> {
    const { size } = file;
    if (!this.stalled) await file.put(bytes);
    if (!this.stalled) return;
    if (file.size > size) await file.cut(size);
    throw new Error('The disk of the audit log gave no answer in time');
  }

  /** @param behind records between the last write and this checkpoint. */
  private checkpoint(kind: Checkpoint['kind'], behind: readonly AuditRecord[]): Checkpoint {
    const { id, jwk } = this.key;
    if (kind === 'interval') return { kind, key_id: id };
    // Checkpoints at file boundaries carry the state, so a restart needs one file and a reader knows the
    // key.
    const running = new Set(this.running);
    note(running, behind);
    const configuration = configurationIn(behind) ?? this.configuration;
    return { kind, key_id: id, key: jwk, open: [...running], ...(configuration && { configuration }) };
  }

  /** The current file; opens a new one after a rotation. */
  private async current(): Promise<AppendFile> {
    this.file ??= await AppendFile.open(this.options.file);
    return this.file;
  }

  private async rotateIfDue(): Promise<void> {
    const { file, first } = this;
    const { rotateBytes, rotateDaily, now, onError } = this.options;
    if (!file || !first || now().getTime() < this.rotateAfter) return;
    const isFull = rotateBytes > 0 && file.size >= rotateBytes;
    const isOver = rotateDaily && first.time.slice(0, 10) < now().toISOString().slice(0, 10);
    if (!isFull && !isOver) return;
    await this.put([], 'rotate');
    try {
      await rename(file.path, archiveName(file.path, first.time, first.seq));
      await syncFolder(dirname(file.path));
    } catch (error) {
      this.rotateAfter = now().getTime() + ROTATE_AGAIN_MS;
      onError(error, 'audit.rotation_failed');
      return;
    }
    this.file = undefined;
    this.first = undefined;
    await file.close();
  }
}

function refused(why: string): Entry {
  return { written: Promise.reject(new Error(why)), withdraw: () => false };
}

/** Updates the set of running calls from the records. */
function note(running: Set<string>, records: readonly AuditRecord[]): void {
  for (const { id, event, decision, decision_id: ended } of records) {
    if (event === 'decision' && decision === 'allow') running.add(id);
    if (ended !== null) running.delete(ended);
  }
}

function configurationIn(records: readonly AuditRecord[]): JsonObject | undefined {
  return records
    .map(({ change }) => (change?.what === 'start' ? change.configuration : undefined))
    .findLast(Boolean);
}
