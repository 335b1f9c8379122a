/** Reads an audit log over all its files from a given record, up to the last durable one. */
import { realpath, type FileHandle } from 'node:fs/promises';
import { archivesOf, firstSeqOf, openIfThere } from '../audit-log-files.js';
import { readLines } from '../lines.js';
import type { StoredRecord } from '../record.js';
import { basename } from 'node:path';
import type { SinkRecord } from './sink.js';

/** One file of the audit log. */
interface AuditLogFile {
  readonly path: string;
  /** Sequence number of its first record. It identifies the file, because rotation changes the path. */
  readonly first: number;
}

/** An open file with its read offset. */
interface Reading extends AuditLogFile {
  readonly handle: FileHandle;
  /** Offset of the next line, in bytes. */
  offset: number;
}

export class LogReader {
  private reading: Reading | undefined;

  /**
   * @param auditLog path of the current file.
   * @param next sequence number of the first record to read.
   */
  constructor(
    private readonly auditLog: string,
    private next: number,
  ) {}

  /**
   * The next records in order; empty if no more are durable.
   * @param lastDurableSeq sequence number of the last durable record; later ones may still be truncated.
   * @throws Error if the next record is in no file, because it was deleted or moved.
   */
  async read(most: number, lastDurableSeq: number): Promise<SinkRecord[]> {
    while (this.next <= lastDurableSeq) {
      this.reading ??= await this.find();
      const found = await this.readOn(this.reading, most, lastDurableSeq);
      if (found.length > 0) return found;
      // The file has no further record: continue with the next file.
      if ((await this.fileOfNext())?.first === this.reading.first) return [];
      await this.close();
    }
    return [];
  }

  /** Continues at another record and skips those between. */
  async skipTo(next: number): Promise<void> {
    await this.close();
    this.next = next;
  }

  /** Sequence number of the oldest record in the files. */
  async oldest(): Promise<number> {
    const [oldest] = await this.files();
    return oldest?.first ?? this.next;
  }

  async close(): Promise<void> {
    await this.reading?.handle.close();
    this.reading = undefined;
  }

  private async readOn(reading: Reading, most: number, lastDurableSeq: number): Promise<SinkRecord[]> {
    const found: SinkRecord[] = [];
    for await (const lines of readLines(reading.handle, { from: reading.offset })) {
      for (const { text, offset, whole } of lines) {
        if (!whole) return found;
        const record = JSON.parse(text) as StoredRecord;
        if (record.seq > lastDurableSeq || found.length === most) return found;
        reading.offset = offset + Buffer.byteLength(text) + 1;
        if (record.seq < this.next) continue;
        if (record.seq > this.next) throw new Error(`Record ${this.next} is missing in ${reading.path}`);
        found.push({ record, line: text });
        this.next += 1;
      }
    }
    return found;
  }

  private async find(): Promise<Reading> {
    for (;;) {
      const file = await this.fileOfNext();
      if (!file) throw new Error(`Record ${this.next} is in no file of the audit log`);
      const handle = await openIfThere(file.path);
      // A rotation between listing and opening may have given the path to another file.
      if (handle && (await firstIn(handle)) === file.first) return { ...file, handle, offset: 0 };
      await handle?.close();
    }
  }

  /** The file that contains the next record, or will contain it. */
  private async fileOfNext(): Promise<AuditLogFile | undefined> {
    return (await this.files()).findLast(({ first }) => first <= this.next);
  }

  /** Oldest first. Reads the current file before the archives, because rotation may turn it into one. */
  private async files(): Promise<AuditLogFile[]> {
    const auditLog = await realpath(this.auditLog).catch(() => this.auditLog);
    const handle = await openIfThere(auditLog);
    const first = await firstIn(handle).finally(() => handle?.close());
    const archives = (await archivesOf(auditLog)).map((path) => ({
      path,
      first: firstSeqOf(auditLog, basename(path)) ?? 0,
    }));
    return first === undefined ? archives : [...archives, { path: auditLog, first }];
  }
}

/** Sequence number of the first record; undefined for a file without records. */
async function firstIn(handle: FileHandle | undefined): Promise<number | undefined> {
  for await (const [line] of handle ? readLines(handle) : []) {
    return line?.whole ? (JSON.parse(line.text) as StoredRecord).seq : undefined;
  }
  return undefined;
}
