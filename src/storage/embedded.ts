/** The embedded database in its folder: made whole or not at all, and named where it is damaged. */
import { Kysely, PGliteDialect } from 'kysely';
import { open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, syncFolder } from '../lib/durable-file.js';
import type { Tables } from './tables.js';

/** PGlite would initialize such a folder anew, over all that is in it. */
const NO_VERSION = new Error('PG_VERSION is missing');
/** Files that are synced at one time. */
const SYNCED_AT_ONCE = 16;
/** SQLSTATE classes of damage: 58 (system error: a file is missing or cannot be read), XX (internal error, data corrupted). */
const DAMAGE = /^(58|XX)/;

/**
 * Opens the database. A new one is initialized beside its place, and moved there once it is complete and on the disk: a
 * folder that stands there was initialized. To be called by one process at a time.
 * @throws Error of PGlite where the folder is damaged: see {@link damageOf}.
 */
export async function startEmbedded(folder: string): Promise<Kysely<Tables>> {
  // Seconds and hundreds of megabytes: only for those who use it.
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
    // As pg has it: a bigint, and so a count, is a string.
    parsers: { [types.INT8]: (value: string) => value },
  });
  return new Kysely<Tables>({ dialect: new PGliteDialect({ pglite }) });
}

/** The error to show in place of one that damage in the folder causes; undefined where the error has another cause. */
export function damageOf(error: unknown, folder: string): Error | undefined {
  const { name, message = 'unknown error', code } = error as Partial<NodeJS.ErrnoException>;
  // PostgreSQL in WebAssembly aborts where a process of it would end.
  const isAbort = name === 'RuntimeError' || /^Aborted|^PGlite failed/.test(message);
  if (!isAbort && error !== NO_VERSION && !DAMAGE.test(code ?? '')) return undefined;
  return new Error(
    `${folder} is damaged (${message}). Restore the folder from a backup; ` +
      'or move it away to begin with an empty database, without the revocations and counters of this one',
  );
}

/** An empty folder counts as none. */
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

/** Writes every file and folder below to the disk. */
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
