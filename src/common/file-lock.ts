/** A lock file: at most one live process of this host holds it, and a dead one never blocks the next. */
import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { performance } from 'node:perf_hooks';

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

type Reading = Holder | 'absent' | 'unreadable';

/**
 * Takes the lock, or says who has it. A lock left by a process of this host that is gone is taken over; of any
 * number of starters exactly one succeeds. Containers that share the directory need host names of their own: process
 * ids alone do not tell them apart.
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
  return { release: () => removeOwn(path, nonce) };
}

/**
 * Puts the draft in place as `target`, or says what is in the way.
 *
 * The dead stay dead, so a stale file can only change by being replaced, and replacing the file of one nonce needs
 * the lock named by that nonce. Whoever holds that and still sees the stale nonce may rename over it: nobody else
 * can, and its owner is gone. A claimant that dies in between leaves a stale lock like any other.
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
    if (holder === 'unreadable' || (await isAlive(holder))) return holder;

    const succession = `${path}.${holder.nonce}`;
    const blocker = await claim(path, succession, draft);
    if (blocker) return blocker;
    try {
      const now = await read(target);
      if (typeof now === 'object' && now.nonce === holder.nonce) {
        await rename(succession, target);
        return undefined;
      }
    } catch (error) {
      await unlinkIfThere(succession);
      throw error;
    }
    await unlinkIfThere(succession);
  }
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

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

async function read(path: string): Promise<Reading> {
  try {
    return parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'absent';
    throw error;
  }
}

function parse(text: string): Holder | 'unreadable' {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    return isHolder(holder) ? holder : 'unreadable';
  } catch {
    return 'unreadable';
  }
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

function hasCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === code;
}
