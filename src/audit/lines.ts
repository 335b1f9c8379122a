/** A file of lines, read in pieces: memory does not grow with the file. */
import type { FileHandle } from 'node:fs/promises';

export interface Line {
  /** Without its line break. */
  readonly text: string;
  /** Where it begins in the file, in bytes. */
  readonly offset: number;
  /** False: the file ends in it, without a line break. */
  readonly whole: boolean;
}

const CHUNK_BYTES = 1024 * 1024;
const LINE_BREAK = 0x0a;

/** Lines from the byte `from` on, which must begin one; those of one piece of the file together. */
export async function* readLines(handle: FileHandle, from = 0): AsyncGenerator<readonly Line[]> {
  let rest = Buffer.alloc(0);
  let offset = from;
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, offset + rest.length);
    if (bytesRead === 0) break;
    const piece =
      rest.length > 0 ? Buffer.concat([rest, chunk.subarray(0, bytesRead)]) : chunk.subarray(0, bytesRead);
    const lines: Line[] = [];
    let start = 0;
    for (let end = piece.indexOf(LINE_BREAK); end >= 0; end = piece.indexOf(LINE_BREAK, start)) {
      lines.push({ text: piece.toString('utf8', start, end), offset: offset + start, whole: true });
      start = end + 1;
    }
    rest = piece.subarray(start);
    offset += start;
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 0) yield [{ text: rest.toString('utf8'), offset, whole: false }];
}
