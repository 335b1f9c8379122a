import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoredRecord } from '../record.js';
import { FileSink } from './file.sink.js';

describe('FileSink', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'file-sink-'));
    path = join(folder, 'deep', 'out.jsonl');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const deliver = (line: string) =>
    new FileSink({ path, format: 'json' }).deliver([{ line, record: {} as StoredRecord }]);

  it('creates the folder and a file of mode 0600, and appends to it', async () => {
    await deliver('{"a":1}');
    await deliver('{"a":2}');
    expect(readFileSync(path, 'utf8')).toBe('{"a":1}\n{"a":2}\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['half a line', '{"a":'],
    ['zeros', '\0\0\0'],
  ])('starts a new line after %s left by a crash', async (_, left) => {
    await deliver('{"a":1}');
    appendFileSync(path, left);
    await deliver('{"a":2}');
    expect(readFileSync(path, 'utf8')).toBe(`{"a":1}\n${left}\n{"a":2}\n`);
  });

  it('appends to an empty file without an empty line', async () => {
    await deliver('{"a":1}');
    writeFileSync(path, '');
    await deliver('{"a":2}');
    expect(readFileSync(path, 'utf8')).toBe('{"a":2}\n');
  });
});
