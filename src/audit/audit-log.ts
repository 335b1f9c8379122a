/** The audit log of one instance: takes records in order, and answers when they are in the chain and on the disk. */
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
  /** Called while the audit log is locked, with the state that the run before left: it shows whether the key has signed. */
  readonly key: (before: Recovered) => SigningKey | Promise<SigningKey>;
  /** The identity of the chain, where it is a new one. */
  readonly instance: string;
  /** A file is put aside when it has this many bytes; 0: never for its size. */
  readonly rotateBytes: number;
  /** A file is put aside when the day (UTC) of its first record is over. */
  readonly rotateDaily: boolean;
  readonly now: () => Date;
  /** The canonical JSON of what many records have in common. */
  readonly textOf?: (part: object) => string | undefined;
  /** Told each place that was signed: kept elsewhere, it shows later whether the end was cut. */
  readonly onCheckpoint: (seq: number, hash: string) => void;
  /** Told what went wrong where nobody waits for it. */
  readonly onError: (error: unknown, event: AuditLogFault) => void;
}

/** Events of failures that no caller waits for. */
export type AuditLogFault = Extract<LogEvent, 'audit.end_not_signed' | 'audit.rotation_failed'>;

/** A record on its way to the disk. */
export interface Entry {
  /** Resolves when the record is on the disk. Rejects where it could not be written; then nothing of it is in the audit log. */
  readonly written: Promise<void>;
  /** Takes the record back; `written` is never settled then. False: it is being written, or was. */
  withdraw(): boolean;
}

interface Waiting {
  readonly record: AuditRecord;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Records that may wait for the disk at one time; more are refused at once. */
const MAX_WAITING = 20_000;
/** How long a record that nobody waits for may wait for company. */
const LATE_MS = 10;
/** Records that share one write. */
const MAX_BATCH = 1_000;
/** A forger has this many records, or this much time, before what he changes is under a signature. */
const CHECKPOINT_EVERY = 1_000;
const CHECKPOINT_AFTER_MS = 60_000;
/** A disk that gives no answer for this time is not writable. */
const STALL_MS = 5_000;
/** Unit of the count: a blocked event loop adds one step, however long it was blocked. */
const STALL_STEP_MS = 500;
/** Where a file could not be put aside, the next try is this much later; until then it goes on growing. */
const ROTATE_AGAIN_MS = 60_000;
/** Begins like a record, so that a crash in between is mended; more than what a full disk may have left by chance. */
const PROBE = Buffer.from(RECORD_START.padEnd(64 * 1024), 'utf8');

export class AuditLog {
  private readonly queue: Waiting[] = [];
  /** Decisions on record whose calls have not ended. */
  private readonly running: Set<string>;
  private configuration: JsonObject | undefined;
  private end: ChainHead;
  private first: Recovered['first'];
  /** What is being done to the file, one thing after the other. */
  private last: Promise<unknown> = Promise.resolve();
  private flushIsDue = false;
  private isWriting = false;
  private lateFlush: NodeJS.Timeout | undefined;
  private checkpointIsDue = false;
  /** Records behind the last checkpoint. */
  private unsigned = 0;
  private rotateAfter = 0;
  private closed = false;
  /** Whether the last thing done to the file succeeded; undefined until something was. */
  private healthy: boolean | undefined;
  private readonly pollers: readonly Poller[];
  /** Records that are being written. */
  private batch: readonly Waiting[] = [];
  /** Duration of the current file operation in units of STALL_STEP_MS; undefined between operations. */
  private steps: number | undefined;
  /** The current operation exceeds STALL_MS. Its records were rejected, so a late success is undone. */
  private stalled = false;

  private constructor(
    private readonly options: AuditLogOptions,
    /** Signs the checkpoints of this run. */
    readonly key: SigningKey,
    /** The identity of the chain: it stays the same over restarts. */
    readonly instance: string,
    /** What the run before left. */
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
   * Opens the audit log for this process alone, and goes on with its chain. A last line that was cut off by a crash was
   * never acknowledged, and is removed.
   * @throws Error where the file cannot be written, is another process's, or ends in something that is no record.
   */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    await makeFolder(dirname(options.file));
    // One lock for one file, however many names lead to it.
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
   * Records that wait at the same time share one write and one fsync.
   * @param flushNow false: nobody waits for it, and it goes with the next one that somebody waits for, or soon by itself.
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

  /** Number of the last record that is on the disk; 0: none is. */
  get reach(): number {
    return this.end.seq;
  }

  /** Whether a record could be written now: what the last write says, or, where that failed or none was, a try that leaves no trace. */
  async writable(): Promise<boolean> {
    if (this.closed || this.stalled) return false;
    if (this.healthy !== true) await this.serialize(() => this.tryOut());
    return this.healthy === true;
  }

  /** Waits for what was appended, signs the end, then closes. */
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
    // What comes while the disk is busy has waited long enough, and has its company, when it is done.
    void this.serialize(this.isWriting ? () => this.flush() : () => this.flushBatch());
  }

  /** Requests that have arrived by now come along: each would else wait for a write of its own. */
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

  /** Rejects the waiting records when an operation exceeds STALL_MS; `append` rejects further ones until it ends. */
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
      // The disk has its next work before what hung on this one goes on.
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

  /** Writes records, and a checkpoint behind them; the chain goes on only when they are on the disk. */
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

  /** @throws Error after STALL_MS; bytes that the disk wrote later are cut off again. */
  private async write(file: AppendFile, bytes: Buffer): Promise<void> {
    const { size } = file;
    if (!this.stalled) await file.put(bytes);
    if (!this.stalled) return;
    if (file.size > size) await file.cut(size);
    throw new Error('The disk of the audit log gave no answer in time');
  }

  /** @param behind the records that stand between the last write and it. */
  private checkpoint(kind: Checkpoint['kind'], behind: readonly AuditRecord[]): Checkpoint {
    const { id, jwk } = this.key;
    if (kind === 'interval') return { kind, key_id: id };
    // At the edges of a file: a restart needs no other file, and a reader learns whose signatures to expect.
    const running = new Set(this.running);
    note(running, behind);
    const configuration = configurationIn(behind) ?? this.configuration;
    return { kind, key_id: id, key: jwk, open: [...running], ...(configuration && { configuration }) };
  }

  /** The file that is written; a new one where the last was put aside. */
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

/** Keeps the set of calls that run as the records say. */
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
