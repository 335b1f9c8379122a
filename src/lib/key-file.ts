/** Private key in a file: read, or created by the first server that needs it. */
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { createFile, hasCode, replaceFile } from './durable-file.js';
import { acquireFileLock, type FileLock } from './file-lock.js';

export interface KeyFile {
  readonly path: string;
  /** False for a key file that the operator names: a typing error must not create another signer. */
  readonly mayMake: boolean;
  /** Name of the key in messages. */
  readonly what: string;
  readonly generate: () => { readonly privateKey: KeyObject };
  /** True: signatures of this key must stay verifiable, so the file is never replaced. */
  readonly hasSigned: boolean;
  /** Called with a message when a damaged file was replaced by a new key. */
  readonly onReplaced: (message: string) => void;
}

const PEM_START = '-----BEGIN PRIVATE KEY-----';
const PEM_END = '-----END PRIVATE KEY-----';
/** Time limit for the replacement by another server. */
const LOCK_PATIENCE_MS = 10_000;
const LOCK_AGAIN_MS = 20;

/**
 * The key in PEM (PKCS #8). Creates a missing file, and replaces an empty, truncated or zeroed file that has signed
 * no data, when `mayMake` is true. Servers that start together on one file get the same key.
 * @throws Error if the file cannot be read or created, or is damaged. The message names the file and the remedy,
 * never the key.
 */
export async function readOrMakeKey(key: KeyFile): Promise<string> {
  for (;;) {
    const pem = await textOf(key);
    const damage = pem === undefined ? undefined : keyDamage(pem);
    if (pem !== undefined && damage === undefined) return pem;
    if (damage === undefined) await createFile(key.path, newPem(key));
    else if (key.mayMake && !key.hasSigned) await replaceDamaged(key, damage);
    else throw new Error(`The ${key.what} ${key.path} ${damage}. ${remedyOf(key)}`);
  }
}

/** Damage by a crash or a full disk during a write, as a predicate. Undefined without such damage. */
export function keyDamage(pem: string): string | undefined {
  if (pem.trim() === '') return 'is empty';
  const text = pem.replace(/[\0\s]+$/, '');
  if (text === '') return 'holds only zeros';
  const isCut = text.startsWith(PEM_START) ? !text.includes(PEM_END) : PEM_START.startsWith(text);
  return isCut ? 'ends in the middle of the key' : undefined;
}

function remedyOf({ mayMake, what }: KeyFile): string {
  if (!mayMake) return 'Restore the file from a backup, or name another one';
  return (
    `The ${what} has signed records: restore the file from a backup. Without a backup, delete the file: ` +
    'the next start creates a key and records the change'
  );
}

async function textOf({ path, mayMake, what }: KeyFile): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT') && mayMake) return undefined;
    throw new Error(`The ${what} ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function newPem({ generate }: KeyFile): string {
  return generate().privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** Under a lock, and only if the file is still damaged: another server may already use a new key. */
async function replaceDamaged(key: KeyFile, damage: string): Promise<void> {
  const lock = await lockWhenFree(`${key.path}.lock`);
  try {
    const pem = await textOf(key);
    if (pem === undefined || keyDamage(pem) === undefined) return;
    await replaceFile(key.path, newPem(key));
    key.onReplaced(`The ${key.what} ${key.path} ${damage} and was replaced by a new key`);
  } finally {
    await lock.release();
  }
}

/** @throws Error of the last attempt after the time limit. */
async function lockWhenFree(path: string): Promise<FileLock> {
  for (let left = LOCK_PATIENCE_MS / LOCK_AGAIN_MS; ; left--) {
    try {
      return await acquireFileLock(path);
    } catch (error) {
      if (left <= 0) throw error;
      await pause(LOCK_AGAIN_MS);
    }
  }
}
