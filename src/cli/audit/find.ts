/** Reads selected records in order, with constant memory. */
import { open, type FileHandle } from 'node:fs/promises';
import { parseJsonObject } from '../../lib/json.js';
import { readLines } from '../../audit/lines.js';
import type { StoredRecord } from '../../audit/record.js';
import { commonText, selects, type Selection } from './selection.js';

/** Below this distance sequential reading is faster than bisection. */
const NEAR_BYTES = 4 * 1024 * 1024;
/** Longer than any record. */
const PROBE_BYTES = 1024 * 1024;

/** @param files of one chain, oldest first; times increase. */
export async function* find(
  files: readonly string[],
  selection: Selection,
): AsyncGenerator<{ readonly record: StoredRecord; readonly text: string }> {
  const text = commonText(selection);
  const holding = text === undefined ? undefined : Buffer.from(text, 'utf8');
  for (const file of files) {
    const handle = await open(file, 'r');
    try {
      const from = selection.since === undefined ? 0 : await offsetOf(handle, selection.since);
      if (from === undefined) continue;
      for await (const lines of readLines(handle, { from, ...(holding && { holding }) })) {
        for (const line of lines) {
          const record = line.whole ? recordIn(line.text) : undefined;
          if (!record) continue;
          if (selection.until !== undefined && record.time >= selection.until) return;
          if (selects(selection, record)) yield { record, text: line.text };
        }
      }
    } finally {
      await handle.close();
    }
  }
}

/** Offset before the first record at `since`; undefined if the file has none. */
async function offsetOf(handle: FileHandle, since: string): Promise<number | undefined> {
  const { size } = await handle.stat();
  let [low, high] = [0, size];
  while (high - low > NEAR_BYTES) {
    const middle = Math.floor((low + high) / 2);
    const line = await lineBehind(handle, middle);
    if (!line || line.time >= since) high = middle;
    else low = line.start;
  }
  return low < size ? low : undefined;
}

/** First complete line after this byte. */
async function lineBehind(
  handle: FileHandle,
  offset: number,
): Promise<{ readonly start: number; readonly time: string } | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(PROBE_BYTES), 0, PROBE_BYTES, offset);
  const piece = buffer.subarray(0, bytesRead);
  const start = piece.indexOf(0x0a) + 1;
  const end = piece.indexOf(0x0a, start);
  if (start === 0 || end < 0) return undefined;
  const record = recordIn(piece.toString('utf8', start, end));
  return record && { start: offset + start, time: record.time };
}

/** Record of a line; undefined for other text. */
export function recordIn(text: string): StoredRecord | undefined {
  const record = parseJsonObject(text);
  return typeof record?.time === 'string' ? (record as unknown as StoredRecord) : undefined;
}
