import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { differences, parsePins, pinsText, readPins, writePins } from './pins.js';
import { readTools } from './connection/read-tools.js';

const tool = (name: string, description = 'x') =>
  readTools([{ name, description, inputSchema: { type: 'object' } }]).tools[0]!;
const tools = (...all: ReturnType<typeof tool>[]) => new Map(all.map((one) => [one.name, one] as const));
const pins = new Map([
  ['b', tools(tool('two'), tool('one'))],
  ['a', tools()],
]);

it('reads its own text, sorted', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pins-'));
  const file = join(folder, 'deeper', 'pins.json');
  expect(readPins(file)).toEqual(new Map());
  await writePins(file, pins);
  expect(readPins(file)).toEqual(
    new Map([
      ['a', tools()],
      ['b', tools(tool('one'), tool('two'))],
    ]),
  );
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(folder, 'deeper'))).toEqual(['pins.json']);
  expect(pinsText(readPins(file))).toBe(pinsText(pins));
  writeFileSync(file, 'x');
  expect(() => readPins(file)).toThrow('is not a JSON object');
  rmSync(folder, { recursive: true });
});

it.each<[string, (text: string) => string]>([
  ['is not a JSON object', () => '[]'],
  ['is not a pins file', (text) => text.replace('"version": 1', '"version": 2')],
  ['differs from its sha256', (text) => text.replace('"description": "x"', '"description": "y"')],
  ['is the definition of one', (text) => text.replace('"one": {', '"other": {')],
  ['is not the schema of an object', (text) => text.replace('"type": "object"', '"type": "text"')],
])('rejects a file that %s', (fault, change) => {
  expect(() => parsePins(change(pinsText(pins)), 'pins.json')).toThrow(fault);
});

it('reports new, removed and changed tools', () => {
  const found = differences(
    tools(tool('same'), tool('gone'), tool('other')),
    tools(tool('same'), tool('new'), tool('other', 'y')),
  );
  expect(found.map(({ tool: name, from, to }) => [name, from === null, to === null])).toEqual([
    ['gone', false, true],
    ['new', true, false],
    ['other', false, false],
  ]);
});
