/** Atomic file writes: a temporary file is synced, then renamed or linked into place. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

/** Readable and writable by the owner. */
const MODE = 0o600;
const SUFFIX = '.tmp';
/** A draft of this age belongs to a dead process. */
const ABANDONED_MS = 3_600_000;

/**
 * Creates a file (mode 0600) unless it exists. Creates its folder if necessary. Requires hard links.
 * @returns false if the file exists; it is unchanged.
 * @throws Error (with `code`) of the file system; then the file does not exist.
 */
export async function createFile(path: string, text: string): Promise<boolean> {
  const isCreated = await withDraft(path, text, (draft) => putWhereAbsent(draft, path));
  await removeDrafts(path, 0);
  return isCreated;
}

/**
 * Replaces a file (mode 0600) atomically: readers see the old or the new content. Creates its folder if necessary.
 * @throws Error (with `code`) of the file system; then the old file remains.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  await withDraft(path, text, (draft) => rename(draft, path));
  await removeDrafts(path, ABANDONED_MS);
}

/** Creates a folder and its parents durably. @param mode mode of each new folder. Default 0700. */
export async function makeFolder(path: string, mode = 0o700): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  const top = dirname(resolve(first));
  for (let at = dirname(resolve(path)); at.length >= top.length; at = dirname(at)) {
    await syncFolder(at);
    if (at === dirname(at)) return;
  }
}

/** Syncs the names in a folder to the disk. Does nothing on Windows, which cannot. */
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
      // The umask may have removed permissions of the owner.
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
    // Another process created the file and removed all drafts.
    if (hasCode(error, 'ENOENT') && (await isThere(path))) return false;
    throw error;
  }
}

/** Removes drafts of killed processes. @param age in milliseconds. */
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

/** Removes a file if it exists. */
export async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** True for a system error with this code. */
export function hasCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === code;
}
