/** Append-only file. A successful write is complete and durable; a failed one leaves no bytes. */
import { constants, fstatSync, statSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../lib/durable-file.js';

/**
 * On Linux, O_DSYNC makes a write return only when it is durable, so one disk operation suffices. On other
 * platforms that flag guarantees less than `fdatasync`.
 */
const WRITES_ARE_SYNCED = process.platform === 'linux';
const FLAGS =
  constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | (WRITES_ARE_SYNCED ? constants.O_DSYNC : 0);

export class AppendFile {
  /** False after a failed write, which may have left bytes after the last complete line. */
  private sound = true;

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private end: number,
  ) {}

  /** Opens or creates the file with mode 0600. @throws Error if the file cannot be written. */
  static async open(path: string): Promise<AppendFile> {
    // Not 'a': an append-only handle cannot truncate a failed write.
    const handle = await open(path, FLAGS, 0o600);
    try {
      const { size } = await handle.stat();
      if (size === 0) await syncFolder(dirname(path));
      // Syncs data that an earlier run wrote but did not sync, before new data is appended.
      else await handle.datasync();
      return new AppendFile(path, handle, size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Durable size in bytes. */
  get size(): number {
    return this.end;
  }

  /** For reading only. */
  get reader(): FileHandle {
    return this.handle;
  }

  /**
   * Appends bytes and waits until they are durable.
   * @throws Error if the write fails. The bytes are truncated now or before the next write.
   * @throws Error if another process moved, removed or changed the file.
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

  /** Checks that a write would succeed: appends bytes and truncates them again. */
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

  /** Truncates the file to this size in bytes. */
  async cut(size: number): Promise<void> {
    this.sound = false;
    // Set first: if truncation fails, the next write repeats it at this size.
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
