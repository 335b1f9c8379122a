/** Embedded database: created atomically in its folder, with an error that names damage. */
import { Kysely, PGliteDialect } from 'kysely';
import { open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, syncFolder } from '../lib/durable-file.js';
import type { Tables } from './tables.js';

/** PGlite would initialize such a folder again and overwrite it. */
const NO_VERSION = new Error('PG_VERSION is missing');
/** Concurrently synced files. */
const SYNCED_AT_ONCE = 16;
/** SQLSTATE classes of damage: 58 (system error: missing or unreadable file), XX (internal error, corrupted data). */
const DAMAGE = /^(58|XX)/;

/**
 * Opens the database. Initializes a new one in a temporary folder and moves it after a sync, so an existing folder is
 * complete. For one process at a time.
 * @throws Error of PGlite for a damaged folder: see {@link damageOf}.
 */
export async function startEmbedded(folder: string): Promise<Kysely<Tables>> {
  // Takes seconds and hundreds of megabytes, so it is loaded on demand.
  const { PGlite, types } = await import('@electric-sql/pglite');
  if (await isMissing(folder)) {
    const unfinished = `${folder}.unfinished`;
    await rm(unfinished, { recursive: true, force: true });
    await (await PGlite.create(unfinished)).close();
    await syncTree(unfinished);
    await rename(unfinished, folder);
    await syncFolder(join(folder, '..'));
  } else if (!(await readdir(folder)).includes('PG_VERSION')) {
    throw NO_VERSION;
  }
  const pglite = await PGlite.create(folder, {
    // As in pg: a bigint is a string.
    parsers: { [types.INT8]: (value: string) => value },
  });
  return new Kysely<Tables>({ dialect: new PGliteDialect({ pglite }) });
}

/** Public error for damage in the folder; undefined for other causes. */
export function damageOf(error: unknown, folder: string): Error | undefined {
  const { name, message = 'unknown error', code } = error as Partial<NodeJS.ErrnoException>;
  // PostgreSQL in WebAssembly aborts instead of exiting.
  const isAbort = name === 'RuntimeError' || /^Aborted|^PGlite failed/.test(message);
  if (!isAbort && error !== NO_VERSION && !DAMAGE.test(code ?? '')) return undefined;
  return new Error(
    `${folder} is damaged (${message}). Restore the folder from a backup, ` +
      'or move it away to start with an empty database, without the revocations and counters of this one',
  );
}

/** True also for an empty folder. */
async function isMissing(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    if (hasCode(error, 'ENOTEMPTY') || hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Syncs all files and folders to the disk. */
async function syncTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  for (let at = 0; at < paths.length; at += SYNCED_AT_ONCE)
    await Promise.all(paths.slice(at, at + SYNCED_AT_ONCE).map(syncFile));
  for (const entry of entries) if (entry.isDirectory()) await syncFolder(join(entry.parentPath, entry.name));
  await syncFolder(folder);
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
