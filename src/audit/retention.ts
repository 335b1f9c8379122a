/** Which files of an audit log were kept long enough. */
import { open, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFolder } from '../lib/durable-file.js';
import { archivesOf } from './audit-log-files.js';
import { lastRecord } from './recover.js';

export interface KeptFile {
  /** Its name, without the folder. */
  readonly file: string;
  readonly from: number;
  readonly to: number;
  /** Of its last record: what the first record of the next file names. */
  readonly hash: string;
}

/** Files put aside whose last record is older; from the oldest on, so that what is left is one chain. */
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
