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

export interface LineSelection {
  /** The byte at which the first line begins; 0. */
  readonly from?: number;
  /** Only lines that hold these bytes are read as text: what is not looked for costs next to nothing. */
  readonly holding?: Buffer;
}

const CHUNK_BYTES = 1024 * 1024;
/** Longer than any record: what goes on without a break is none, and is not read to its end. */
const MAX_LINE_BYTES = 8 * CHUNK_BYTES;
const SHOWN_OF_NONE = 100;
const LINE_BREAK = 0x0a;

/** Those of one piece of the file together. Ends before the file where there is something in it that cannot be a line of a ledger. */
export async function* readLines(
  handle: FileHandle,
  { from = 0, holding }: LineSelection = {},
): AsyncGenerator<readonly Line[]> {
  const linesOf = holding ? (piece: Buffer) => linesHolding(piece, holding) : allLines;
  let rest = Buffer.alloc(0);
  let offset = from;
  for (;;) {
    const piece = Buffer.allocUnsafe(rest.length + CHUNK_BYTES);
    rest.copy(piece);
    const { bytesRead } = await handle.read(piece, rest.length, CHUNK_BYTES, offset + rest.length);
    if (bytesRead === 0) break;
    const filled = piece.subarray(0, rest.length + bytesRead);
    const end = filled.lastIndexOf(LINE_BREAK) + 1;
    const found = linesOf(filled.subarray(0, end)).map((line) => ({ ...line, offset: offset + line.offset }));
    rest = filled.subarray(end);
    offset += end;
    if (found.length > 0) yield found;
    if (rest.length > MAX_LINE_BYTES) {
      yield [{ text: rest.toString('utf8', 0, SHOWN_OF_NONE), offset, whole: true }];
      return;
    }
  }
  if (rest.length > 0 && (!holding || rest.includes(holding))) {
    yield [{ text: rest.toString('utf8'), offset, whole: false }];
  }
}

/** @param piece whole lines, each with its break. */
function allLines(piece: Buffer): Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < piece.length;) {
    const end = piece.indexOf(LINE_BREAK, start);
    lines.push({ text: piece.toString('utf8', start, end), offset: start, whole: true });
    start = end + 1;
  }
  return lines;
}

function linesHolding(piece: Buffer, wanted: Buffer): Line[] {
  const lines: Line[] = [];
  for (let at = piece.indexOf(wanted); at >= 0;) {
    const start = piece.lastIndexOf(LINE_BREAK, at) + 1;
    const end = piece.indexOf(LINE_BREAK, at);
    lines.push({ text: piece.toString('utf8', start, end), offset: start, whole: true });
    at = piece.indexOf(wanted, end);
  }
  return lines;
}
