/** Lines in a file of another form; opened anew for each delivery, so that it can be moved away at any time. */
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SinkFormat } from '../config/settings.js';
import { render, type Delivered, type Sink } from './sink.js';

export class FileSink implements Sink {
  constructor(private readonly settings: { readonly path: string; readonly format: SinkFormat }) {}

  async deliver(records: readonly Delivered[]): Promise<void> {
    const { path, format } = this.settings;
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(path, 'a', 0o600);
    try {
      await handle.writeFile(records.map((one) => `${render(one, format)}\n`).join(''));
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
