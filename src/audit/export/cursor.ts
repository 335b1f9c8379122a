/** Delivery position of one sink. It survives restarts and never exceeds the delivered records. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, replaceFile } from '../../lib/durable-file.js';
import { parseJsonObject } from '../../lib/json.js';

export interface Cursor {
  /** Identity of the chain. */
  readonly instance: string;
  /** Sequence number of the last delivered record. */
  readonly seq: number;
  /** Hash of that record, to detect a rewritten audit log. Absent in positions of earlier versions. */
  readonly hash?: string;
}

export class CursorFile {
  private constructor(private readonly path: string) {}

  static async in(folder: string, name: string): Promise<CursorFile> {
    await makeFolder(folder);
    return new CursorFile(join(folder, `${name}.json`));
  }

  /**
   * Undefined before the first delivery. @throws Error if the file is invalid; the operator decides about a
   * new start.
   */
  async read(): Promise<Cursor | undefined> {
    const text = await readFile(this.path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return undefined;
    const cursor = parsed(text);
    if (!cursor)
      throw new Error(`${this.path} holds no position; delete it to deliver all that is there again`);
    return cursor;
  }

  /** Replaces the file atomically. After a crash, the previous position causes repeated deliveries. */
  async write(cursor: Cursor): Promise<void> {
    await replaceFile(this.path, JSON.stringify(cursor));
  }
}

function parsed(text: string): Cursor | undefined {
  const { instance, seq, hash } = parseJsonObject(text) ?? {};
  if (typeof instance !== 'string' || !Number.isSafeInteger(seq)) return undefined;
  return { instance, seq: seq as number, ...(typeof hash === 'string' && { hash }) };
}
