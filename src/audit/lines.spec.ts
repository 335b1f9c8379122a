import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readLines, type Line, type LineSelection } from './lines.js';

const folder = mkdtempSync(join(tmpdir(), 'lines-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function read(content: string, selection: LineSelection = {}): Promise<Line[]> {
  const file = join(folder, 'file');
  writeFileSync(file, content);
  const handle = await open(file, 'r');
  try {
    const lines: Line[] = [];
    for await (const some of readLines(handle, selection)) lines.push(...some);
    return lines;
  } finally {
    await handle.close();
  }
}

it('returns every line with its offset and marks an unterminated one', async () => {
  expect(await read('a\n\nbé\nc')).toEqual([
    { text: 'a', offset: 0, whole: true },
    { text: '', offset: 2, whole: true },
    { text: 'bé', offset: 3, whole: true },
    { text: 'c', offset: 7, whole: false },
  ]);
  expect(await read('')).toEqual([]);
  expect(await read('a\nb\n', { from: 2 })).toEqual([{ text: 'b', offset: 2, whole: true }]);
});

it('returns lines that are longer than a chunk or end at its boundary', async () => {
  const long = 'x'.repeat(1024 * 1024 - 1);
  const content = `${long}\nshort\n${long}${long}\nend\n`;
  expect((await read(content)).map(({ text }) => text.length)).toEqual([long.length, 5, 2 * long.length, 3]);
});

it('returns exactly the lines that contain the search text', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.stringMatching(/^[abé]{0,4}$/), { maxLength: 20 }),
      fc.stringMatching(/^[abé]{1,2}$/),
      fc.boolean(),
      async (lines, wanted, ends) => {
        const content = lines.join('\n') + (ends && lines.length > 0 ? '\n' : '');
        const all = await read(content);
        const found = await read(content, { holding: Buffer.from(wanted) });
        expect(found).toEqual(all.filter(({ text }) => text.includes(wanted)));
      },
    ),
    { numRuns: 200 },
  );
});

it('stops at content that exceeds the maximum line length', async () => {
  const lines = await read(`a\n${'\0'.repeat(20 * 1024 * 1024)}\nb\n`);
  expect(lines).toEqual([
    { text: 'a', offset: 0, whole: true },
    { text: '\0'.repeat(100), offset: 2, whole: true },
  ]);
});
