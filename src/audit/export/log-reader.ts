/** Reads an audit log from a place on, over its files, as far as it is on the disk. */
import { realpath, type FileHandle } from 'node:fs/promises';
import { archivesOf, firstSeqOf, openIfThere } from '../audit-log-files.js';
import { readLines } from '../lines.js';
import type { StoredRecord } from '../record.js';
import { basename } from 'node:path';
import type { SinkRecord } from './sink.js';

/** One file of the audit log. */
interface AuditLogFile {
  readonly path: string;
  /** Number of its first record: what tells files apart, for the one that is written changes its name. */
  readonly first: number;
}

/** One file, and how far it was read. */
interface Reading extends AuditLogFile {
  readonly handle: FileHandle;
  /** Where the next line begins. */
  offset: number;
}

export class LogReader {
  private reading: Reading | undefined;

  /**
   * @param auditLog the file that is written.
   * @param next number of the record that is wanted first.
   */
  constructor(
    private readonly auditLog: string,
    private next: number,
  ) {}

  /**
   * The records that follow, in order; none where there are none yet.
   * @param lastDurableSeq number of the last record that is on the disk: what is behind it may still be taken back.
   * @throws Error where the next record is in no file: it was deleted, or moved away, before it was read.
   */
  async read(most: number, lastDurableSeq: number): Promise<SinkRecord[]> {
    while (this.next <= lastDurableSeq) {
      this.reading ??= await this.find();
      const found = await this.readOn(this.reading, most, lastDurableSeq);
      if (found.length > 0) return found;
      // This file has no more, and there is more: it goes on in the next one.
      if ((await this.fileOfNext())?.first === this.reading.first) return [];
      await this.close();
    }
    return [];
  }

  /** Goes on from another place: the records in between are given up. */
  async skipTo(next: number): Promise<void> {
    await this.close();
    this.next = next;
  }

  /** The first record that is still there. */
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
      // Between the look and the opening the name may have come to be that of another file.
      if (handle && (await firstIn(handle)) === file.first) return { ...file, handle, offset: 0 };
      await handle?.close();
    }
  }

  /** The file that has the next record, or will have it. */
  private async fileOfNext(): Promise<AuditLogFile | undefined> {
    return (await this.files()).findLast(({ first }) => first <= this.next);
  }

  /** The oldest first. The one that is written is looked at before the others: it may become one of them meanwhile. */
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

/** Number of the first record; undefined where there is none. */
async function firstIn(handle: FileHandle | undefined): Promise<number | undefined> {
  for await (const [line] of handle ? readLines(handle) : []) {
    return line?.whole ? (JSON.parse(line.text) as StoredRecord).seq : undefined;
  }
  return undefined;
}
