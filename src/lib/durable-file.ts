/** Files that are seen whole or not at all, whatever ends the process: written beside, synced, then put in place. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** Readable and writable by the owner. */
const MODE = 0o600;
const SUFFIX = '.tmp';
/** A draft of this age has no writer any more. */
const ABANDONED_MS = 3_600_000;

/**
 * Makes a file, for its owner alone (mode 0600), unless one exists. Makes its folder where that is missing.
 * @returns false: the file exists; it was not touched.
 * @throws Error (with `code`) where the disk refuses; the file does not exist then. Requires a file system with hard links.
 */
export async function createFile(path: string, text: string): Promise<boolean> {
  const isCreated = await withDraft(path, text, (draft) => putWhereAbsent(draft, path));
  await removeDrafts(path, 0);
  return isCreated;
}

/**
 * Puts a file in place, for its owner alone (mode 0600), of one that may exist: a reader sees the old one or the new one.
 * Makes its folder where that is missing.
 * @throws Error (with `code`) where the disk refuses; the old file stays then.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  await withDraft(path, text, (draft) => rename(draft, path));
  await removeDrafts(path, ABANDONED_MS);
}

/** Makes a folder and those above it, such that they outlast a power cut. @param mode of each that is made; 0700. */
export async function makeFolder(path: string, mode = 0o700): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  const top = dirname(resolve(first));
  for (let at = dirname(resolve(path)); at.length >= top.length; at = dirname(at)) {
    await syncFolder(at);
    if (at === dirname(at)) return;
  }
}

/** Makes the names in a folder outlast a power cut. Windows cannot, and does nothing. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function withDraft<T>(path: string, text: string, put: (draft: string) => Promise<T>): Promise<T> {
  await makeFolder(dirname(path));
  const draft = `${path}.${randomUUID()}${SUFFIX}`;
  try {
    const file = await open(draft, 'wx', MODE);
    try {
      // The umask may have taken more than it should.
      await file.chmod(MODE);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    const result = await put(draft);
    await syncFolder(dirname(path));
    return result;
  } finally {
    await unlinkIfThere(draft);
  }
}

async function putWhereAbsent(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    // Another process made the file, and removed the drafts of all others.
    if (hasCode(error, 'ENOENT') && (await isThere(path))) return false;
    throw error;
  }
}

/** Removes what killed processes left. @param age in milliseconds. */
async function removeDrafts(path: string, age: number): Promise<void> {
  const before = Date.now() - age;
  for (const name of await readdir(dirname(path)).catch(() => [])) {
    if (!isDraftOf(basename(path), name)) continue;
    const draft = join(dirname(path), name);
    const found = await stat(draft).catch(() => undefined);
    if (found && found.mtimeMs <= before) await unlinkIfThere(draft);
  }
}

function isDraftOf(name: string, other: string): boolean {
  if (!other.startsWith(`${name}.`) || !other.endsWith(SUFFIX)) return false;
  return /^[0-9a-f-]{36}$/.test(other.slice(name.length + 1, -SUFFIX.length));
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Removes a file; does nothing where there is none. */
export async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** Whether this is the error of the operating system with this code. */
export function hasCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === code;
}
