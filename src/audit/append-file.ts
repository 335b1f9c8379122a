/** A file that only grows: what is put there is whole and on the disk before the writer is told so, or not there at all. */
import { constants, fstatSync, statSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../lib/durable-file.js';

/**
 * On Linux a write comes back when it is on the disk: one job for the disk, not two. Elsewhere that flag promises less
 * than `fdatasync`.
 */
const WRITES_ARE_SYNCED = process.platform === 'linux';
const FLAGS =
  constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | (WRITES_ARE_SYNCED ? constants.O_DSYNC : 0);

export class AppendFile {
  /** False: the last attempt failed, and may have left something behind the last whole line. */
  private sound = true;

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private end: number,
  ) {}

  /** Opens the file, or makes it, for its owner alone. @throws Error where it cannot be written. */
  static async open(path: string): Promise<AppendFile> {
    // Not 'a': a failed write is cut off again, which an append-only handle cannot do.
    const handle = await open(path, FLAGS, 0o600);
    try {
      const { size } = await handle.stat();
      if (size === 0) await syncFolder(dirname(path));
      // What a run before wrote and did not live to see on the disk: what is put behind it must not outlive it.
      else await handle.datasync();
      return new AppendFile(path, handle, size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** In bytes, what was put and is on the disk. */
  get size(): number {
    return this.end;
  }

  /** To read from; not to write to. */
  get reader(): FileHandle {
    return this.handle;
  }

  /**
   * Puts bytes at the end, on the disk.
   * @throws Error where that failed; then nothing of them is in the file, or will be cut off before the next are put.
   * @throws Error where somebody else moved, removed or changed the file: what is put would be lost, or out of order.
   */
  async put(bytes: Buffer): Promise<void> {
    if (!this.sound) await this.cut(this.end);
    this.requireUntouched();
    try {
      for (let written = 0; written < bytes.length;) {
        const at = this.end + written;
        written += (await this.handle.write(bytes, written, bytes.length - written, at)).bytesWritten;
      }
      if (!WRITES_ARE_SYNCED) await this.handle.datasync();
    } catch (error) {
      this.sound = false;
      await this.cut(this.end).catch(() => undefined);
      throw error;
    }
    this.end += bytes.length;
  }

  /** Whether bytes could be put now: puts them and cuts them off again. */
  async probeWrite(bytes: Buffer): Promise<boolean> {
    const { end } = this;
    try {
      await this.put(bytes);
      await this.cut(end);
      return true;
    } catch {
      return false;
    }
  }

  /** Cuts off what stands behind this byte. */
  async cut(size: number): Promise<void> {
    this.sound = false;
    // Set first: if the cut fails, the next put repeats it at this size.
    this.end = size;
    await this.handle.truncate(size);
    this.sound = true;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private requireUntouched(): void {
    const { nlink, ino, dev, size } = fstatSync(this.handle.fd);
    if (nlink === 0) throw new Error('The audit log was removed while the server was running');
    if (nlink > 1) throw new Error('The audit log has a second name (a hard link): another may write to it');
    if (size !== this.end)
      throw new Error('The audit log was changed from outside while the server was running');
    const there = statSync(this.path, { throwIfNoEntry: false });
    if (there?.ino !== ino || there.dev !== dev) {
      throw new Error('The audit log was moved away while the server was running');
    }
  }
}
