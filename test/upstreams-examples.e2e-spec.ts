/** The files under `examples/upstreams` load, name existing tools and appear in the index. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readUpstreamsFile } from '../src/config/upstreams-file.js';
import { matchingEntries } from '../src/tools/mounted-names.js';
import {
  acceptanceSet,
  Fixture,
  installAcceptanceSet,
  type AcceptanceName,
  type Clouds,
} from './support/acceptance-set.js';
import { temporaryFolder } from './support/gate.js';
import { Direct } from './support/upstreams.js';

jest.setTimeout(120_000);

const EXAMPLES = join(__dirname, '../examples/upstreams');
const FILES = readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml'));
/** Servers that the test can start, by file name. */
const STARTED: Record<string, AcceptanceName> = {
  'playwright-mcp.yaml': 'playwright',
  'magic.yaml': 'magic',
  'neon.yaml': 'neon',
  'exa.yaml': 'exa',
  'filesystem.yaml': 'filesystem',
  'memory.yaml': 'memory',
  'context7.yaml': 'context7',
  'notion.yaml': 'notion',
  'github.yaml': 'github',
};

function load(name: string) {
  const faults: string[] = [];
  const path = join(EXAMPLES, name);
  const read = (at: string) => (at === path ? readFileSync(path, 'utf8') : 'a-secret-of-some-length');
  const upstreams = readUpstreamsFile(path, read, faults);
  return { upstreams, faults };
}

it.each(FILES)('example %s loads', (name) => {
  const { upstreams, faults } = load(name);
  expect(faults).toEqual([]);
  expect(upstreams).toHaveLength(1);
});

it.each(FILES)('example %s documents tested and omitted tools and appears in the index', (name) => {
  const text = readFileSync(join(EXAMPLES, name), 'utf8');
  for (const word of ['# Run here: ', '# Left out: ']) expect(text).toContain(word);
  expect(readFileSync(join(EXAMPLES, 'README.md'), 'utf8')).toContain(`[${name}](${name})`);
});

it('examples form one valid file together', () => {
  const upstreams = FILES.flatMap(
    (name) => parse(readFileSync(join(EXAMPLES, name), 'utf8')).upstreams as object[],
  );
  const faults: string[] = [];
  const text = JSON.stringify({ upstreams });
  readUpstreamsFile('/all.yaml', (path) => (path === '/all.yaml' ? text : 'a-secret-of-some-length'), faults);
  expect(faults).toEqual([]);
});

describe('examples against the real servers', () => {
  const folder = temporaryFolder();
  let clouds: Fixture<Clouds>;

  beforeAll(async () => {
    installAcceptanceSet();
    clouds = await Fixture.start<Clouds>('clouds.mjs', join(folder.path, 'clouds'));
  });
  afterAll(async () => {
    await clouds?.stop();
    folder.remove();
  });

  it.each(Object.entries(STARTED))('match existing tools and arguments in %s', async (file, name) => {
    const [upstream] = load(file).upstreams;
    const own = join(folder.path, name);
    mkdirSync(own);
    const direct = await Direct.start(acceptanceSet(own, clouds.ready)[name], own);
    const { tools } = (await direct.ask('tools/list')).result as { tools: Record<string, any>[] };
    await direct.stop();
    const named = tools.filter((tool) => matchingEntries(upstream!, tool.name).length > 0);
    for (const { match } of upstream!.tools) {
      for (const one of match) {
        const pattern = new RegExp(`^${one.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
        expect([one, named.some((tool) => pattern.test(tool.name))]).toEqual([one, true]);
      }
    }
    for (const tool of named) {
      const has = Object.keys(tool.inputSchema.properties ?? {});
      for (const { conditions, recordedArguments } of matchingEntries(upstream!, tool.name)) {
        const read = [...conditions.join().matchAll(/context\.arguments(?:\.(\w+)| has (\w+))/g)];
        const asked = [...read.map(([, dotted, tested]) => dotted ?? tested), ...recordedArguments];
        expect(has).toEqual(expect.arrayContaining(asked));
      }
    }
  });
});
