/** Appends records to a file. Opens it for each delivery, so that external rotation can move it. */
import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder, syncFolder } from '../../lib/durable-file.js';
import type { SinkFormat } from '../../config/settings.js';
import { render, type SinkRecord, type Sink } from './sink.js';

export class FileSink implements Sink {
  constructor(private readonly settings: { readonly path: string; readonly format: SinkFormat }) {}

  async deliver(records: readonly SinkRecord[]): Promise<void> {
    const { path, format } = this.settings;
    await makeFolder(dirname(path));
    const handle = await open(path, 'a+', 0o600);
    try {
      const { size } = await handle.stat();
      if (size === 0) await syncFolder(dirname(path));
      const lines = records.map((one) => `${render(one, format)}\n`).join('');
      // A crash or a full disk may have left a partial line; its record is delivered again in this batch.
      await handle.writeFile((await endsInLine(handle, size)) ? lines : `\n${lines}`);
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

async function endsInLine(handle: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return true;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer.toString() === '\n';
}
