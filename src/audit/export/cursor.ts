/** How far the audit log was delivered to one sink: kept over restarts, and never ahead of what arrived. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, replaceFile } from '../../lib/durable-file.js';
import { parseJsonObject } from '../../lib/json.js';

export interface Cursor {
  /** The chain that it is a place in. */
  readonly instance: string;
  /** Number of the last record that arrived. */
  readonly seq: number;
  /** Its hash: tells whether the audit log still has it as it arrived. Not there in positions of earlier versions. */
  readonly hash?: string;
}

export class CursorFile {
  private constructor(private readonly path: string) {}

  static async in(folder: string, name: string): Promise<CursorFile> {
    await makeFolder(folder);
    return new CursorFile(join(folder, `${name}.json`));
  }

  /** Undefined: nothing was ever delivered. @throws Error where the file is no position: to begin anew is the operator's to say. */
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

  /** Whole or not at all: what a crash leaves is the one before, and some records arrive twice. */
  async write(cursor: Cursor): Promise<void> {
    await replaceFile(this.path, JSON.stringify(cursor));
  }
}

function parsed(text: string): Cursor | undefined {
  const { instance, seq, hash } = parseJsonObject(text) ?? {};
  if (typeof instance !== 'string' || !Number.isSafeInteger(seq)) return undefined;
  return { instance, seq: seq as number, ...(typeof hash === 'string' && { hash }) };
}
