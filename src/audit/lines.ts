/** Reads a file of lines in chunks, with bounded memory. */
import type { FileHandle } from 'node:fs/promises';

export interface Line {
  /** Without its line break. */
  readonly text: string;
  /** Offset in the file, in bytes. */
  readonly offset: number;
  /** False for a last line without a line break. */
  readonly whole: boolean;
}

export interface LineSelection {
  /** Offset of the first line, in bytes; default 0. */
  readonly from?: number;
  /** Decodes only the lines that contain these bytes, which makes a search cheap. */
  readonly holding?: Buffer;
  /** Offset at which to stop, in bytes; default: end of file. */
  readonly to?: number;
}

const CHUNK_BYTES = 1024 * 1024;
/** Maximum line length; larger than any record. Longer content is not a record and is not read to its end. */
const MAX_LINE_BYTES = 8 * CHUNK_BYTES;
const SHOWN_OF_NONE = 100;
const LINE_BREAK = 0x0a;

/**
 * Yields the lines of one chunk at a time. Stops at the first content that cannot be a line of an audit
 * log.
 */
export async function* readLines(
  handle: FileHandle,
  { from = 0, holding, to = Infinity }: LineSelection = {},
): AsyncGenerator<readonly Line[]> {
  const linesOf = holding ? (piece: Buffer) => linesHolding(piece, holding) : allLines;
  let rest = Buffer.alloc(0);
  let offset = from;
  for (;;) {
    const piece = Buffer.allocUnsafe(rest.length + CHUNK_BYTES);
    rest.copy(piece);
    const at = offset + rest.length;
    const { bytesRead } = await handle.read(piece, rest.length, Math.min(CHUNK_BYTES, to - at), at);
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

/** Offset of the trailing zero bytes; the file size if there are none. @param size of the file, in bytes. */
export async function endOfText(handle: FileHandle, size: number): Promise<number> {
  const piece = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let end = size; end > 0;) {
    const from = Math.max(0, end - CHUNK_BYTES);
    const { bytesRead } = await handle.read(piece, 0, end - from, from);
    for (let at = bytesRead - 1; at >= 0; at--) if (piece[at] !== 0) return from + at + 1;
    end = from;
  }
  return 0;
}

/** @param piece complete lines, each with its line break. */
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
