/** Interface of a sink, and the formats of a record. */
import type { StoredRecord } from '../record.js';
import { toCef } from './cef.js';
import { toOcsf } from './ocsf.js';
import type { SinkFormat } from '../../config/settings.js';

/** A record with its line in the audit log. */
export interface SinkRecord {
  readonly record: StoredRecord;
  readonly line: string;
}

export interface Sink {
  /**
   * Resolves when the records have arrived, as far as the protocol can tell. May receive the same records
   * again.
   */
  deliver(records: readonly SinkRecord[]): Promise<void>;
  close(): Promise<void>;
}

/** One line without a line break. */
export function render({ record, line }: SinkRecord, format: SinkFormat): string {
  switch (format) {
    case 'json':
      return line;
    case 'ocsf':
      return JSON.stringify(toOcsf(record));
    case 'cef':
      return toCef(record);
  }
}
