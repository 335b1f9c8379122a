/** Writes records to stdout between the log lines, for platforms that collect container output. */
import type { SinkFormat } from '../../config/settings.js';
import { render, type SinkRecord, type Sink } from './sink.js';

export class StdoutSink implements Sink {
  constructor(private readonly format: SinkFormat) {}

  deliver(records: readonly SinkRecord[]): Promise<void> {
    const text = records.map((one) => `${render(one, this.format)}\n`).join('');
    return new Promise((resolve, reject) => {
      process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
