/** Follows the records of an audit log across rotation. */
import { realpath, stat, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { archivesOf, firstSeqOf, openIfThere } from '../../audit/audit-log-files.js';
import { readLines } from '../../audit/lines.js';
import { recordIn } from './find.js';
import type { Found } from './newest-record.js';

/** Poll interval in milliseconds. */
const EVERY_MS = 250;

export interface FollowOptions {
  /** Waits for the next poll. Default 250 ms. */
  readonly pause?: () => Promise<void>;
  /** Called if the file was truncated. */
  readonly warn: (text: string) => void;
  /** Called once at the initial end of the file. */
  readonly onEnd?: () => Promise<void>;
}

/**
 * Yields every complete record of the file, then new ones; never ends.
 * @param file current file; rotation renames it and creates a new one.
 */
export async function* follow(file: string, options: FollowOptions): AsyncGenerator<Found> {
  const { pause = wait, warn, onEnd } = options;
  const path = await realpath(file).catch(() => file);
  let reading = await openReading(path);
  let last = 0;
  let isFirst = true;
  try {
    for (;;) {
      // Checked before reading, so that records before the rotation are read.
      const isAside = reading !== undefined && (await isReplaced(reading, path));
      if (reading) {
        for await (const found of readOn(reading)) {
          last = found.record.seq;
          yield found;
        }
      }
      if (reading && !isAside) {
        const { size } = await reading.handle.stat();
        if (size < reading.offset) {
          warn(`${file} was truncated. Reading it again from its beginning.`);
          reading.offset = 0;
        }
      }
      if (isFirst && !isAside) {
        isFirst = false;
        await onEnd?.();
      }
      if (reading && !isAside) {
        await pause();
        continue;
      }
      await reading?.handle.close();
      reading = await openNext(path, last);
      if (!reading) await pause();
    }
  } finally {
    await reading?.handle.close();
  }
}

interface Reading {
  readonly handle: FileHandle;
  readonly inode: number;
  offset: number;
}

async function openReading(path: string): Promise<Reading | undefined> {
  const handle = await openIfThere(path);
  return handle && { handle, inode: (await handle.stat()).ino, offset: 0 };
}

/** Archive that starts after this record, or the current file. */
async function openNext(path: string, last: number): Promise<Reading | undefined> {
  const archives = await archivesOf(path);
  const next = archives.find((one) => (firstSeqOf(path, basename(one)) ?? 0) > last);
  return openReading(last > 0 && next !== undefined ? next : path);
}

/** True if the path names another file, or none. */
async function isReplaced({ inode }: Reading, path: string): Promise<boolean> {
  return stat(path).then(
    ({ ino }) => ino !== inode,
    () => true,
  );
}

async function* readOn(reading: Reading): AsyncGenerator<Found> {
  for await (const lines of readLines(reading.handle, { from: reading.offset })) {
    for (const { text, offset, whole } of lines) {
      if (!whole) return;
      reading.offset = offset + Buffer.byteLength(text) + 1;
      const record = recordIn(text);
      if (record) yield { record, text };
    }
  }
}

function wait(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, EVERY_MS));
}
