/** A lock file: at most one live process of this host holds it, and a dead one never blocks the next. */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { link, open, readdir, readFile, readlink, realpath, rename, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { hasCode, unlinkIfThere } from './durable-file.js';

export interface FileLock {
  /** Removes the file where it is still ours. A second call does nothing. */
  release(): Promise<void>;
}

/** What the file says. Complete from the moment the file can be seen. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the lock was taken, ISO 8601. */
  readonly since: string;
  /** Tells this process from an earlier one with the same pid; null where the system does not say. */
  readonly start: string | null;
  /** Tells this taking of the lock from every other. */
  readonly nonce: string;
}

/** `broken`: a crash left it empty, cut off or zeroed. `unreadable`: something else than a lock. */
type Reading = Holder | 'absent' | 'broken' | 'unreadable';

/** How the text of every lock begins. */
const LOCK_START = '{"pid":';
/** A draft without text has no writer any more at this age. */
const ABANDONED_MS = 3_600_000;

/**
 * Takes the lock, or says who has it. A lock left by a process of this host that is gone is taken over, and so is one
 * that is empty, cut off or zeroed, unless a process of this host has it open for writing (Linux); of any number of
 * starters exactly one succeeds. Containers that share the directory need host names of their own: process ids alone
 * do not tell them apart.
 * @param path the lock file; its directory must exist and support hard links.
 * @throws Error when the lock is held, also by this very process, or when the file cannot be read as a lock: the
 * message names the file, the holder and the remedy.
 */
export async function acquireFileLock(path: string): Promise<FileLock> {
  const nonce = randomUUID();
  const draft = `${path}.${nonce}.draft`;
  const blocker = await withDraft(draft, await self(nonce), () => claim(path, path, draft));
  if (blocker === 'unreadable') {
    throw new Error(
      `${path} is no lock file of this program. If no server uses this directory, delete the file`,
    );
  }
  if (blocker) {
    throw new Error(
      `${path} is held by process ${blocker.pid} on host ${blocker.host} since ${blocker.since}. ` +
        'Stop that process; if that host is gone for good, delete the file',
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

/** Shows in /proc that the lock has an owner, even if its text is lost. A number: handles are closed when collected. */
function openedByOwner(path: string): number | undefined {
  try {
    return openSync(path, 'r+');
  } catch {
    return undefined;
  }
}

/** Removes what claimants of this host left that were killed. */
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
 * Puts the draft in place as `target`, or says what is in the way.
 *
 * The dead stay dead, so a stale file can only change by being replaced, and replacing the file of one nonce needs
 * the lock named by that nonce. Whoever holds that and still sees the stale nonce may rename over it: nobody else
 * can, and its owner is gone. A claimant that dies in between leaves a stale lock like any other. A broken file has no
 * nonce; the lock for its replacement is named by the file.
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
      // A power failure must not leave an empty lock, which nobody could attribute.
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
  // While we live nobody replaces our file, so nothing can come between this look and the removal.
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

/** Whether this is the beginning of a lock, or none of it, with any number of zeros behind it. */
function isBroken(text: string): boolean {
  const left = text.replace(/\0+$/, '');
  return LOCK_START.startsWith(left) || (left.startsWith(LOCK_START) && !/[}\0]/.test(left));
}

/**
 * The process of this host that has the lock open for writing, as only its owner does; undefined where there is none,
 * and on systems without /proc.
 */
async function ownerOfBroken(path: string): Promise<Holder | undefined> {
  const file = join(await realpath(dirname(path)), basename(path));
  for (const pid of await namesIn('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of await namesIn(`/proc/${pid}/fd`)) {
      const opened = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => undefined);
      if (opened !== file) continue;
      const info = await readFile(`/proc/${pid}/fdinfo/${fd}`, 'utf8').catch(() => '');
      // The last octal digit is the access mode; others open it to read.
      if (!/^flags:\s+0\d*[12]$/m.test(info)) continue;
      return { pid: Number(pid), host: hostname(), since: 'an unknown time', start: null, nonce: '' };
    }
  }
  return undefined;
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

/** The nonce becomes part of a file name, and the pid goes to kill(2), where 0 and below mean whole groups. */
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

/** A process of another host counts as alive: from here nobody can tell. */
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
 * What no two processes with this pid share: the boot and the clock tick of the start, on Linux. Elsewhere only this
 * process knows when it started.
 */
async function startOf(pid: number): Promise<string | null> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name, field 2, may hold spaces and parentheses; field 22 is the start.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only nobody has fetched its exit status yet.
    return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : `${boot}:${fields[19]}`;
  } catch {
    return pid === process.pid ? `${performance.timeOrigin}` : null;
  }
}
