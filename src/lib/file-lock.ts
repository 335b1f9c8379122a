/** Lock file: at most one live process of this host holds it; the lock of a dead process is taken over. */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { link, open, readdir, readFile, readlink, realpath, rename, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { hasCode, unlinkIfThere } from './durable-file.js';

/** The lock is held, or the file is not a lock. The message is for the operator. */
export class FileLockError extends Error {
  override readonly name = 'FileLockError';
}

export interface FileLock {
  /** Removes the file if this process still owns it. A second call has no effect. */
  release(): Promise<void>;
}

/** Content of the file, complete as soon as the file is visible. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Time of acquisition, ISO 8601. */
  readonly since: string;
  /** Distinguishes this process from an earlier one with the same pid. Null if the system does not provide it. */
  readonly start: string | null;
  /** Unique for each acquisition. */
  readonly nonce: string;
}

/** `broken`: empty, truncated or zeroed by a crash. `unreadable`: another file. */
type Reading = Holder | 'absent' | 'broken' | 'unreadable';

/** Start of the text of every lock. */
const LOCK_START = '{"pid":';
/** A draft without text is abandoned at this age. */
const ABANDONED_MS = 3_600_000;

/**
 * Acquires the lock. Takes over a lock of a dead process of this host, and a lock that is empty, truncated or zeroed,
 * unless a process of this host has it open for writing (Linux). Of concurrent starters exactly one succeeds.
 * Containers that share the directory need distinct host names: their process ids overlap.
 * @param path the lock file; its directory must exist and support hard links.
 * @throws FileLockError if the lock is held, also by this process, or if the file is not a lock. The message names the file,
 * the holder and the remedy.
 */
export async function acquireFileLock(path: string): Promise<FileLock> {
  const nonce = randomUUID();
  const draft = `${path}.${nonce}.draft`;
  const blocker = await withDraft(draft, await self(nonce), () => claim(path, path, draft));
  if (blocker === 'unreadable') {
    throw new FileLockError(
      `${path} is not a lock file of this program. If no server uses this directory, delete the file`,
    );
  }
  if (blocker) {
    throw new FileLockError(
      `${path} is held by process ${blocker.pid} on host ${blocker.host} since ${blocker.since}. ` +
        'Stop that process; if that host no longer exists, delete the file',
    );
  }
  await removeDeadDrafts(path);
  let opened = openedByOwner(path);
  return {
    release: async () => {
      if (opened !== undefined) closeSync(opened);
      opened = undefined;
      await removeOwn(path, nonce);
    },
  };
}

/**
 * Shows in /proc that the lock has an owner, even if its text is lost. A file descriptor number: handles are closed
 * when collected.
 */
function openedByOwner(path: string): number | undefined {
  try {
    return openSync(path, 'r+');
  } catch {
    return undefined;
  }
}

/** Removes drafts of killed claimants of this host. */
async function removeDeadDrafts(path: string): Promise<void> {
  for (const name of await namesIn(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.`) || !name.endsWith('.draft')) continue;
    const draft = join(dirname(path), name);
    const holder = await read(draft).catch(() => 'unreadable' as const);
    if (typeof holder === 'object' && !(await isAlive(holder))) await unlinkIfThere(draft);
    if (holder === 'broken' && (await isAbandoned(draft))) await unlinkIfThere(draft);
  }
}

async function isAbandoned(draft: string): Promise<boolean> {
  const found = await stat(draft).catch(() => undefined);
  return found !== undefined && found.mtimeMs < Date.now() - ABANDONED_MS;
}

/**
 * Links the draft to `target`, or returns the obstacle.
 *
 * A stale file can change only by replacement, and the replacement of a nonce requires the lock named by that nonce.
 * Its holder may rename over the stale file while the nonce is still there: no other process can, and the owner is
 * dead. A claimant that dies in between leaves an ordinary stale lock. A broken file has no nonce; the lock for its
 * replacement is named by the file.
 */
async function claim(
  path: string,
  target: string,
  draft: string,
): Promise<Holder | 'unreadable' | undefined> {
  for (;;) {
    if (await linked(draft, target)) return undefined;
    const holder = await read(target);
    if (holder === 'absent') continue;
    if (holder === 'unreadable') return holder;
    if (holder !== 'broken' && (await isAlive(holder))) return holder;

    const succession = holder === 'broken' ? `${target}.broken` : `${path}.${holder.nonce}`;
    const blocker = await claim(path, succession, draft);
    if (blocker) return blocker;
    try {
      if (isSame(await read(target), holder)) {
        const owner = holder === 'broken' ? await ownerOfBroken(target) : undefined;
        if (!owner) await rename(succession, target);
        else await unlinkIfThere(succession);
        return owner;
      }
    } catch (error) {
      await unlinkIfThere(succession);
      throw error;
    }
    await unlinkIfThere(succession);
  }
}

function isSame(now: Reading, before: Holder | 'broken'): boolean {
  if (typeof now !== 'object' || before === 'broken') return now === before;
  return now.nonce === before.nonce;
}

async function withDraft<T>(draft: string, holder: Holder, use: () => Promise<T>): Promise<T> {
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(holder)}\n`);
      // A power failure must not leave an empty lock without an owner.
      await file.sync();
    } finally {
      await file.close();
    }
    return await use();
  } finally {
    await unlinkIfThere(draft);
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function removeOwn(path: string, nonce: string): Promise<void> {
  const holder = await read(path);
  // Other processes do not replace the file of a live process, so the check and the removal cannot race.
  if (typeof holder === 'object' && holder.nonce === nonce) await unlinkIfThere(path);
}

async function read(path: string): Promise<Reading> {
  try {
    return parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'absent';
    throw error;
  }
}

function parse(text: string): Holder | 'broken' | 'unreadable' {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    return isHolder(holder) ? holder : 'unreadable';
  } catch {
    return isBroken(text) ? 'broken' : 'unreadable';
  }
}

/** True for a prefix of a lock, possibly empty, followed by zeros. */
function isBroken(text: string): boolean {
  const left = text.replace(/\0+$/, '');
  return LOCK_START.startsWith(left) || (left.startsWith(LOCK_START) && !/[}\0]/.test(left));
}

/** The process of this host that has the lock open for writing. Undefined without one, and on systems without /proc. */
async function ownerOfBroken(path: string): Promise<Holder | undefined> {
  const file = join(await realpath(dirname(path)), basename(path));
  for (const pid of await namesIn('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of await namesIn(`/proc/${pid}/fd`)) {
      const opened = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => undefined);
      if (opened !== file) continue;
      const info = await readFile(`/proc/${pid}/fdinfo/${fd}`, 'utf8').catch(() => '');
      // The last octal digit is the access mode; readers have another one.
      if (!/^flags:\s+0\d*[12]$/m.test(info)) continue;
      return { pid: Number(pid), host: hostname(), since: 'an unknown time', start: null, nonce: '' };
    }
  }
  return undefined;
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

/**
 * The nonce becomes part of a file name. The pid is an argument of kill(2), where 0 and negative values address
 * process groups.
 */
function isHolder(value: Partial<Holder> | null): value is Holder {
  return (
    typeof value === 'object' &&
    value !== null &&
    Number.isSafeInteger(value.pid) &&
    (value.pid as number) > 0 &&
    typeof value.host === 'string' &&
    typeof value.since === 'string' &&
    (value.start === null || typeof value.start === 'string') &&
    typeof value.nonce === 'string' &&
    /^[0-9a-f-]{36}$/.test(value.nonce)
  );
}

async function self(nonce: string): Promise<Holder> {
  return {
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    start: await startOf(process.pid),
    nonce,
  };
}

/** A process of another host counts as alive: this host cannot check it. */
async function isAlive(holder: Holder): Promise<boolean> {
  if (holder.host !== hostname()) return true;
  if (!runs(holder.pid)) return false;
  const start = await startOf(holder.pid);
  return start === null || holder.start === null || start === holder.start;
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, 'ESRCH');
  }
}

/**
 * Unique for processes with the same pid: boot id and clock tick of the start (Linux). On other systems only this
 * process knows its own start.
 */
async function startOf(pid: number): Promise<string | null> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name, field 2, may contain spaces and parentheses; field 22 is the start.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; its parent has not read its exit status.
    return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : `${boot}:${fields[19]}`;
  } catch {
    return pid === process.pid ? `${performance.timeOrigin}` : null;
  }
}
