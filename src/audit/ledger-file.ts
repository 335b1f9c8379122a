/** An append-only file of JSON lines: in order, whole, and on the disk before the writer is told so. */
import { constants } from 'node:fs';
import { mkdir, open, realpath, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { acquireFileLock } from '../common/file-lock.js';

interface Waiting {
  readonly line: (seq: number) => string;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** How much of the end of the file is read to find the last line. */
const TAIL_BYTES = 1024 * 1024;
const RECORD_START = '{"v":1,"seq":';
const NO_LEDGER = 'The file does not end in a record: it is no ledger, or it was damaged';

export class LedgerFile {
  private readonly queue: Waiting[] = [];
  /** What is being done to the file, one thing after the other. */
  private last: Promise<unknown> = Promise.resolve();
  private flushIsDue = false;
  private closed = false;
  /** Whether the last thing done to the file succeeded; unknown until something was. */
  private healthy: boolean | undefined;

  private constructor(
    private readonly handle: FileHandle,
    private readonly lock: { release(): Promise<void> },
    private size: number,
    private nextSeq: number,
  ) {}

  /**
   * Opens the file for this process alone. A last line that was cut off by a crash was never acknowledged, and is removed.
   * @throws Error where the file cannot be written, is another process's, or ends in something that is no record.
   */
  static async open(file: string): Promise<LedgerFile> {
    await mkdir(dirname(file), { recursive: true });
    // One lock for one file, however many names lead to it.
    const real = await realpath(file).catch(async () => join(await realpath(dirname(file)), basename(file)));
    const lock = await acquireFileLock(`${real}.lock`);
    let handle: FileHandle | undefined;
    try {
      // Not 'a': a failed write is cut off again, which an append-only handle cannot do.
      handle = await open(real, constants.O_RDWR | constants.O_CREAT, 0o600);
      const { size, cut, lastSeq } = await readTail(handle);
      if (cut) await handle.truncate(size);
      return new LedgerFile(handle, lock, size, lastSeq + 1);
    } catch (error) {
      await handle?.close();
      await lock.release();
      throw error;
    }
  }

  /**
   * Resolves when the line is on the disk. Lines that wait at the same time share one write and one fsync.
   * @param line gives the text for the sequence number that it gets; without a line break.
   * @throws Error where it could not be written; then nothing of it is in the file.
   */
  append(line: (seq: number) => string): Promise<void> {
    if (this.closed) return Promise.reject(new Error('The ledger is closed'));
    const written = new Promise<void>((done, failed) => this.queue.push({ line, done, failed }));
    if (!this.flushIsDue) {
      this.flushIsDue = true;
      void this.inTurn(() => this.flush());
    }
    return written;
  }

  /** Whether a record could be written now: what the last write says, or, where that failed or none was, a try that leaves no trace. */
  async writable(): Promise<boolean> {
    if (this.closed) return false;
    if (this.healthy !== true) await this.inTurn(() => this.tryOut());
    return this.healthy === true;
  }

  /** Waits for what was appended, then closes. */
  async close(): Promise<void> {
    this.closed = true;
    await this.last;
    await this.handle.close();
    await this.lock.release();
  }

  private inTurn(task: () => Promise<void>): Promise<void> {
    const turn = this.last.then(task);
    this.last = turn;
    return turn;
  }

  private async flush(): Promise<void> {
    this.flushIsDue = false;
    const batch = this.queue.splice(0);
    try {
      await this.write(batch);
      batch.forEach(({ done }) => done());
    } catch (error) {
      batch.forEach(({ failed }) => failed(error));
    }
  }

  /** Writes the beginning of a record and cuts it off again; a crash in between leaves what the next start cuts off. */
  private async tryOut(): Promise<void> {
    await this.put(Buffer.from(RECORD_START, 'utf8'))
      .then(() => this.handle.truncate(this.size))
      .catch(() => (this.healthy = false));
  }

  private async write(batch: readonly Waiting[]): Promise<void> {
    const text = batch.map(({ line }, at) => `${line(this.nextSeq + at)}\n`).join('');
    const bytes = Buffer.from(text, 'utf8');
    await this.put(bytes);
    this.size += bytes.length;
    this.nextSeq += batch.length;
  }

  /** Puts bytes behind the last whole line, on the disk; or nothing. */
  private async put(bytes: Buffer): Promise<void> {
    try {
      // What a failed write may have left behind is cut off first: no reader ever sees half a line.
      if (this.healthy === false) await this.handle.truncate(this.size);
      for (let written = 0; written < bytes.length;) {
        const at = this.size + written;
        written += (await this.handle.write(bytes, written, bytes.length - written, at)).bytesWritten;
      }
      await this.handle.datasync();
      this.healthy = true;
    } catch (error) {
      this.healthy = false;
      await this.handle.truncate(this.size).catch(() => undefined);
      throw error;
    }
  }
}

/** Where the last whole line ends, whether something follows it, and the number of that line. */
async function readTail(handle: FileHandle): Promise<{ size: number; cut: boolean; lastSeq: number }> {
  const { size } = await handle.stat();
  const from = Math.max(0, size - TAIL_BYTES);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - from), 0, size - from, from);
  const tail = buffer.subarray(0, bytesRead);
  const end = tail.lastIndexOf(0x0a);
  requireRecordStart(tail.subarray(end + 1).toString('utf8'));
  if (end < 0) return { size: 0, cut: size > 0, lastSeq: 0 };
  const start = end === 0 ? 0 : tail.lastIndexOf(0x0a, end - 1) + 1;
  const whole = from + end + 1;
  return { size: whole, cut: whole < size, lastSeq: seqOf(tail.subarray(start, end).toString('utf8')) };
}

/** A line without an end is removed, so it must be one of ours: a file of something else is never cut. */
function requireRecordStart(cut: string): void {
  if (!cut.startsWith(RECORD_START) && !RECORD_START.startsWith(cut)) throw new Error(NO_LEDGER);
}

function seqOf(line: string): number {
  try {
    const { seq } = JSON.parse(line) as { seq?: unknown };
    if (Number.isSafeInteger(seq)) return seq as number;
  } catch {
    // Said below, without what the line holds.
  }
  throw new Error(NO_LEDGER);
}
