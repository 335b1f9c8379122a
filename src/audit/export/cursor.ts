/** How far the ledger was delivered to one sink: kept over restarts, and never ahead of what arrived. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, replaceFile } from '../../lib/durable-file.js';
import { parseObject } from '../../lib/parse-object.js';

export interface Position {
  /** The chain that it is a place in. */
  readonly instance: string;
  /** Number of the last record that arrived. */
  readonly seq: number;
  /** Its hash: tells whether the ledger still has it as it arrived. Not there in positions of earlier versions. */
  readonly hash?: string;
}

export class PositionFile {
  private constructor(private readonly path: string) {}

  static async in(folder: string, name: string): Promise<PositionFile> {
    await makeFolder(folder);
    return new PositionFile(join(folder, `${name}.json`));
  }

  /** Undefined: nothing was ever delivered. @throws Error where the file is no position: to begin anew is the operator's to say. */
  async read(): Promise<Position | undefined> {
    const text = await readFile(this.path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return undefined;
    const position = parsed(text);
    if (!position)
      throw new Error(`${this.path} holds no position; delete it to deliver all that is there again`);
    return position;
  }

  /** Whole or not at all: what a crash leaves is the one before, and some records arrive twice. */
  async write(position: Position): Promise<void> {
    await replaceFile(this.path, JSON.stringify(position));
  }
}

function parsed(text: string): Position | undefined {
  const { instance, seq, hash } = parseObject(text) ?? {};
  if (typeof instance !== 'string' || !Number.isSafeInteger(seq)) return undefined;
  return { instance, seq: seq as number, ...(typeof hash === 'string' && { hash }) };
}
