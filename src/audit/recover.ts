/** Recovers the state of the previous run from the audit log: end of the chain and unfinished calls. */
import type { FileHandle } from 'node:fs/promises';
import { type JsonObject, parseJsonObject } from '../lib/json.js';
import { decodeVerified } from './chain.js';
import { archivesOf, openIfThere } from './audit-log-files.js';
import { endOfText, readLines } from './lines.js';
import type { Checkpoint } from './record.js';

export interface ChainEnd {
  readonly seq: number;
  readonly hash: string;
  readonly instance: string;
}

export interface Recovered {
  /** Undefined for a new audit log. */
  readonly end: ChainEnd | undefined;
  /** Bytes of complete records in the current file; later bytes were never acknowledged. */
  readonly size: number;
  /** First record of the current file, if any. */
  readonly first: { readonly seq: number; readonly time: string } | undefined;
  /** Allowed decisions without a recorded outcome. */
  readonly unfinished: readonly JsonObject[];
  /** Configuration of the last run. */
  readonly configuration: JsonObject | undefined;
  /** Id of the key that signed the last checkpoint. */
  readonly keyId: string | undefined;
}

/** Start of every record. Partial records after a crash are truncated; other content is never modified. */
export const RECORD_START = '{"arguments';
/** Larger than any record. */
const TAIL_BYTES = 1024 * 1024;
const LINE_BREAK = 0x0a;

/** @throws Error if the last record is invalid or does not match its hash. */
export async function recover(file: string): Promise<Recovered> {
  const archives = (await archivesOf(file)).reverse();
  const current = await reading(file, lastRecord);
  // A crash during rotation leaves an empty file; the chain continues from the newest archive.
  const files = current?.last ? [file, ...archives] : archives;
  const newest = files[0];
  const end = current?.last ? current : newest === undefined ? undefined : await reading(newest, lastRecord);
  if (newest === undefined || !end?.last) {
    return {
      end: undefined,
      size: 0,
      first: undefined,
      unfinished: [],
      configuration: undefined,
      keyId: undefined,
    };
  }
  const { seq, hash, instance, checkpoint } = end.last as unknown as ChainEnd & { checkpoint?: Checkpoint };
  const ended = checkpoint?.kind === 'close' || checkpoint?.kind === 'rotate';
  const run = ended
    ? cleanShutdown(checkpoint)
    : ((await reading(newest, readRun)) ?? cleanShutdown(undefined));
  const missing = new Set(run.openBefore);
  for (const path of ended ? files : files.slice(1)) {
    if (missing.size === 0) break;
    run.unfinished.unshift(...((await reading(path, (handle) => decisionsIn(handle, missing))) ?? []));
  }
  return {
    end: { seq, hash, instance },
    size: current?.size ?? 0,
    first: current?.first,
    unfinished: run.unfinished,
    configuration: run.configuration,
    keyId: run.keyId,
  };
}

/** Calls and state found in one file. */
interface Run {
  readonly unfinished: JsonObject[];
  /** Calls that started before this file and do not end in it. */
  readonly openBefore: readonly string[];
  readonly configuration: JsonObject | undefined;
  readonly keyId: string | undefined;
}

function cleanShutdown(checkpoint: Checkpoint | undefined): Run {
  return {
    unfinished: [],
    openBefore: checkpoint?.open ?? [],
    configuration: checkpoint?.configuration,
    keyId: checkpoint?.key_id,
  };
}

async function reading<T>(
  path: string,
  read: (handle: FileHandle, path: string) => Promise<T>,
): Promise<T | undefined> {
  const handle = await openIfThere(path);
  try {
    return handle && (await read(handle, path));
  } finally {
    await handle?.close();
  }
}

/** Whether text without a line break can be the start of a partial record. */
export function isTornRecord(text: string): boolean {
  return text.startsWith(RECORD_START) || RECORD_START.startsWith(text);
}

/** The last complete record and its end offset; sequence number and time of the first record. */
export async function lastRecord(handle: FileHandle, path: string) {
  const { size: length } = await handle.stat();
  // XFS and ext4 may leave zero bytes after a power failure. None of those bytes was acknowledged.
  const size = await endOfText(handle, length);
  const from = Math.max(0, size - TAIL_BYTES);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - from), 0, size - from, from);
  const tail = buffer.subarray(0, bytesRead);
  const end = tail.lastIndexOf(LINE_BREAK);
  if (!isTornRecord(tail.toString('utf8', end + 1, end + 1 + RECORD_START.length))) throw noAuditLog(path);
  if (end < 0) return { size: 0, last: undefined, first: undefined };
  const start = end === 0 ? 0 : tail.lastIndexOf(LINE_BREAK, end - 1) + 1;
  const last = decodeVerified(tail.toString('utf8', start, end));
  if (!last || !Number.isSafeInteger(last.seq)) throw noAuditLog(path);
  return { size: from + end + 1, last, first: await firstOf(handle) };
}

async function firstOf(handle: FileHandle): Promise<Recovered['first']> {
  for await (const [line] of readLines(handle)) {
    const { seq, time } = parseJsonObject(line?.text ?? '') ?? {};
    return { seq: seq as number, time: time as string };
  }
  return undefined;
}

async function readRun(handle: FileHandle): Promise<Run> {
  const running = new Map<unknown, JsonObject>();
  const openBefore = new Set<unknown>();
  let configuration: JsonObject | undefined;
  let keyId: string | undefined;
  for await (const record of records(handle)) {
    const checkpoint = record.checkpoint as Checkpoint | undefined;
    const change = record.change as { configuration?: JsonObject } | undefined;
    if (record.event === 'decision' && record.decision === 'allow') running.set(record.id, record);
    running.delete(record.decision_id);
    openBefore.delete(record.decision_id);
    if (checkpoint?.kind === 'open') checkpoint.open?.forEach((id) => openBefore.add(id));
    configuration = checkpoint?.configuration ?? change?.configuration ?? configuration;
    keyId = checkpoint?.key_id ?? keyId;
  }
  return {
    unfinished: [...running.values()],
    openBefore: [...openBefore] as string[],
    configuration,
    keyId,
  };
}

/** Finds the missing decisions in this file and removes them from `missing`. */
async function decisionsIn(handle: FileHandle, missing: Set<string>): Promise<JsonObject[]> {
  const found: JsonObject[] = [];
  for await (const record of records(handle)) {
    if (record.event === 'decision' && missing.delete(record.id as string)) found.push(record);
  }
  return found;
}

/** Skips unreadable records; `verify` reports them. */
async function* records(handle: FileHandle): AsyncGenerator<JsonObject> {
  for await (const lines of readLines(handle)) {
    for (const { text } of lines) {
      const record = parseJsonObject(text);
      if (record) yield record;
    }
  }
}

function noAuditLog(path: string): Error {
  return new Error(
    `${path} does not end in a whole record: it is no audit log, was made by another version, or was damaged. ` +
      'Move it away to begin a new one',
  );
}
