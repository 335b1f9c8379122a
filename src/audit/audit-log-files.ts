/** Files of one audit log: the current file and the archives, named by day and first record. */
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';

/** `audit.jsonl` becomes `audit.20261122.000000000001.jsonl`. Names sort in the order of the records. */
export function archiveName(file: string, firstTime: string, firstSeq: number): string {
  const extension = extname(file);
  const day = firstTime.slice(0, 10).replaceAll('-', '');
  const stem = basename(file, extension);
  return join(dirname(file), `${stem}.${day}.${String(firstSeq).padStart(12, '0')}${extension}`);
}

/**
 * Sequence number of the first record of an archive; undefined if the name is not an archive of this audit
 * log.
 */
export function firstSeqOf(file: string, name: string): number | undefined {
  const extension = extname(file);
  const stem = basename(file, extension);
  if (!name.startsWith(`${stem}.`) || !name.endsWith(extension)) return undefined;
  const [, seq] =
    /^\d{8}\.(\d{12,16})$/.exec(name.slice(stem.length + 1, name.length - extension.length)) ?? [];
  return seq === undefined ? undefined : Number(seq);
}

/** Paths of the archives, oldest first. Empty if the folder does not exist. */
export async function archivesOf(file: string): Promise<string[]> {
  const names = await readdir(dirname(file)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .map((name) => ({ name, seq: firstSeqOf(file, name) }))
    .filter((one): one is { name: string; seq: number } => one.seq !== undefined)
    .sort((a, b) => a.seq - b.seq)
    .map(({ name }) => join(dirname(file), name));
}

/** Opens the file for reading; undefined if it does not exist. */
export async function openIfThere(path: string): Promise<FileHandle | undefined> {
  return open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
