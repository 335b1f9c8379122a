/** A private key in a file of its own: read, or made by the first of any number of servers that needs it. */
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { createFile, hasCode, replaceFile } from './durable-file.js';
import { acquireFileLock, type FileLock } from './file-lock.js';

export interface KeyFile {
  readonly path: string;
  /** False: a key that the operator names must exist, or a typing error would change the signer. */
  readonly mayMake: boolean;
  /** The name of the key in messages. */
  readonly what: string;
  readonly generate: () => { readonly privateKey: KeyObject };
  /** True: something is signed by the key of this file that must stay verifiable, so the file is never replaced. */
  readonly hasSigned: boolean;
  /** Told in a sentence when an unfinished file was replaced by a new key. */
  readonly onReplaced: (message: string) => void;
}

const PEM_START = '-----BEGIN PRIVATE KEY-----';
const PEM_END = '-----END PRIVATE KEY-----';
/** How long another server may take to replace the file. */
const LOCK_PATIENCE_MS = 10_000;
const LOCK_AGAIN_MS = 20;

/**
 * The key in PEM (PKCS #8). A missing file is made, where it may be; a file that is empty, cut off or zeroed is replaced,
 * where it may be made and has signed nothing. Servers that start at once on the same file get the same key.
 * @throws Error where it cannot be read or made, or is damaged; the message names the file and the remedy, never the key.
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

/** The damage that a crash or a full disk does to a key while it is written, as a predicate; undefined: none of these. */
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
    `The ${what} has signed records already: restore the file from a backup. Without a backup delete the file: ` +
    'a new key is made, and the change of the key is on record'
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

/** Under a lock, and only while it is damaged: another server may use the key already that it put there. */
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

/** @throws Error of the last try where it is held for too long. */
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
