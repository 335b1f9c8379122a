/** Finds and deletes archives that exceed the retention period. */
import { open, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFolder } from '../lib/durable-file.js';
import { archivesOf } from './audit-log-files.js';
import { lastRecord } from './recover.js';

export interface KeptFile {
  /** File name without the folder. */
  readonly file: string;
  readonly from: number;
  readonly to: number;
  /** Hash of the last record; equals `prev` of the first record in the next file. */
  readonly hash: string;
}

/** Archives whose last record is older than `before`, oldest first, so that the rest remains one chain. */
export async function expiredFiles(auditLog: string, before: Date): Promise<KeptFile[]> {
  const expired: KeptFile[] = [];
  for (const path of await archivesOf(auditLog)) {
    const handle = await open(path, 'r');
    try {
      const { first, last } = await lastRecord(handle, path);
      if (!first || !last || (last.time as string) >= before.toISOString()) break;
      expired.push({
        file: basename(path),
        from: first.seq,
        to: last.seq as number,
        hash: last.hash as string,
      });
    } finally {
      await handle.close();
    }
  }
  return expired;
}

export async function removeFiles(auditLog: string, files: readonly KeptFile[]): Promise<void> {
  for (const { file } of files) await unlink(join(dirname(auditLog), file));
  await syncFolder(dirname(auditLog));
}
