/** A disk that can hang: writes do not return until it is released. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

export interface HangingDisk {
  /** A folder on the disk. */
  readonly path: string;
  /** Makes all writes hang from now on. */
  hang(): void;
  release(): void;
  /** Releases the disk and removes it. */
  remove(): void;
}

/** The kernel thaws the disk after this time, even if the test process died. */
const WATCHDOG_SECONDS = 120;
const SIZE_BYTES = 16 * 1024 * 1024;

/**
 * An ext4 file system frozen with `fsfreeze`; needs root and loop devices. Without these, replaces
 * `FileHandle.write` and delays the writes of this process to files below `folder`.
 */
export async function hangingDisk(folder: string): Promise<HangingDisk> {
  return realDisk(folder) ?? (await heldWrites(folder));
}

function realDisk(folder: string): HangingDisk | undefined {
  const [image, path] = [join(folder, 'disk.img'), join(folder, 'disk')];
  try {
    writeFileSync(image, '');
    truncateSync(image, SIZE_BYTES);
    mkdirSync(path);
    execFileSync('mkfs.ext4', ['-q', '-F', image], { stdio: 'ignore' });
    execFileSync('mount', ['-o', 'loop', image, path], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  const watchdog = spawn('sh', ['-c', `sleep ${WATCHDOG_SECONDS}; fsfreeze -u "$0"`, path], {
    stdio: 'ignore',
    detached: true,
  });
  watchdog.unref();
  let hangs = false;
  const release = () => {
    if (hangs) execFileSync('fsfreeze', ['-u', path]);
    hangs = false;
  };
  return {
    path,
    hang: () => {
      execFileSync('fsfreeze', ['-f', path]);
      hangs = true;
    },
    release,
    remove: () => {
      release();
      if (watchdog.pid) process.kill(-watchdog.pid);
      execFileSync('umount', [path]);
    },
  };
}

async function heldWrites(folder: string): Promise<HangingDisk> {
  const path = join(folder, 'held');
  mkdirSync(path);
  const probe = await open(join(path, 'probe'), 'w');
  const prototype = Object.getPrototypeOf(probe) as FileHandle;
  await probe.close();
  // `remove` restores it. Only the audit log writes through a file handle at a position in this process.
  const write = Reflect.get(prototype, 'write') as (...args: unknown[]) => Promise<unknown>;
  let released = Promise.resolve();
  let letGo = () => undefined as void;
  Object.assign(prototype, {
    write(this: FileHandle, ...args: unknown[]) {
      return released.then(() => write.apply(this, args));
    },
  });
  return {
    path,
    hang: () => {
      released = new Promise((resolve) => (letGo = resolve));
    },
    release: () => letGo(),
    remove: () => {
      letGo();
      Object.assign(prototype, { write });
    },
  };
}
