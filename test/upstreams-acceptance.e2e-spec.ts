/**
 * Published MCP servers as upstreams, called with the SDK clients v1 and v2: only permitted calls succeed.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  acceptanceSet,
  chromiumPath,
  Fixture,
  installAcceptanceSet,
  type AcceptanceName,
  type Clouds,
} from './support/acceptance-set.js';
import { agentV1, agentV2, Direct, MountedGate, readNotes, type Agent } from './support/upstreams.js';
import { temporaryFolder } from './support/gate.js';

jest.setTimeout(180_000);

const READER = { sub: 'alice', scope: 'use' };
const WRITER = { sub: 'bob', scope: 'use write' };

/** Number of tools of each server, and the tools that a reader and a writer may call. */
const RULES: Record<AcceptanceName, { tools: number; read: string[]; write?: string[] }> = {
  playwright: {
    tools: 25,
    read: ['browser_snapshot', 'browser_take_screenshot'],
    write: ['browser_navigate', 'browser_click', 'browser_close'],
  },
  magic: { tools: 4, read: ['logo_search'] },
  everything: {
    tools: 13,
    read: ['echo', 'get-sum', 'get-tiny-image', 'get-structured-content', 'trigger-*'],
  },
  filesystem: { tools: 14, read: ['read_*', 'list_directory'], write: ['write_file'] },
  memory: { tools: 9, read: ['search_nodes', 'read_graph'], write: ['create_entities'] },
  context7: { tools: 2, read: ['resolve-library-id', 'query-docs'] },
  exa: { tools: 2, read: ['web_search_exa'] },
  notion: { tools: 24, read: ['API-get-self', 'API-post-search'] },
  github: { tools: 26, read: ['search_repositories'] },
  neon: { tools: 16, read: ['list_projects'] },
};
const NAMES = Object.keys(RULES) as AcceptanceName[];

const cloudFolder = temporaryFolder();
let clouds: Fixture<Clouds>;
let page: Server;
let pageUrl: string;
let mounted: MountedGate;
let share: string;
let reader: string;
let writer: string;

beforeAll(async () => {
  installAcceptanceSet();
  clouds = await Fixture.start<Clouds>('clouds.mjs', cloudFolder.path);
  page = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<title>Loopback</title><button onclick="document.title = `Pressed`">Press me</button>');
  });
  await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
  pageUrl = `http://127.0.0.1:${(page.address() as AddressInfo).port}/`;
  mounted = await MountedGate.start((folder) => {
    share = join(folder, 'share');
    const set = acceptanceSet(folder, clouds.ready);
    return NAMES.map((name) => ({
      name,
      ...set[name],
      ...(name === 'memory' && { concurrency: 1 }),
      tools: [
        { match: RULES[name].read, scopes: ['use'] },
        ...(RULES[name].write ? [{ match: RULES[name].write, scopes: ['use', 'write'] }] : []),
      ],
    }));
  });
  reader = await mounted.gate.token(READER);
  writer = await mounted.gate.token(WRITER);
  const there = (names: readonly string[]) =>
    NAMES.every((name) => names.some((tool) => tool.startsWith(`${name}_`)));
  await mounted.toolsOnce(writer, there, 60);
});
afterAll(async () => {
  await mounted?.close();
  await clouds?.stop();
  page?.close();
  cloudFolder.remove();
});

it.each(NAMES)(
  'lists the tools of the upstream %s that its entries match, also without the scope',
  async (name) => {
    const own = (tools: Map<string, unknown>) =>
      [...tools.keys()].filter((tool) => tool.startsWith(`${name}_`));
    const { read, write = [] } = RULES[name];
    const exact = (names: string[]) =>
      names.filter((one) => !one.includes('*')).map((one) => `${name}_${one}`);
    const forReader = own(await mounted.tools(reader));
    const forWriter = own(await mounted.tools(writer));
    // The reader can obtain the missing scope, so the list contains the tool; the call is denied.
    expect(forReader).toEqual(forWriter);
    expect(forWriter).toEqual(expect.arrayContaining([...exact(read), ...exact(write)]));
    expect(forWriter.length).toBeLessThanOrEqual(RULES[name].tools);
  },
);

it('passes the schemas of an upstream unchanged', async () => {
  const folder = temporaryFolder();
  const direct = await Direct.start(acceptanceSet(folder.path).notion, folder.path);
  const { tools } = (await direct.ask('tools/list')).result as { tools: Record<string, any>[] };
  await direct.stop();
  folder.remove();
  const shown = (await mounted.tools(reader)).get('notion_API-post-search');
  const sent = tools.find(({ name }) => name === 'API-post-search');
  expect(shown?.inputSchema).toEqual(sent?.inputSchema);
  expect(shown?.description).toBe(sent?.description);
});

describe.each([
  ['v1', agentV1],
  ['v2', agentV2],
] as const)('client %s', (line, connect) => {
  let asReader: Agent;
  let asWriter: Agent;

  beforeAll(async () => {
    asReader = await connect(mounted.gate.url, reader);
    asWriter = await connect(mounted.gate.url, writer);
  });
  afterAll(async () => {
    await asReader?.close();
    await asWriter?.close();
  });

  it('reads the lists', async () => {
    const names = (await asReader.list()).map(({ name }) => name);
    expect(names).toContain('everything_echo');
    expect(names).not.toContain('everything_get-env');
  });

  it('receives text, an image, structured content and progress from everything', async () => {
    expect((await asReader.call('everything_echo', { message: 'hi' })).content).toEqual([
      { type: 'text', text: 'Echo: hi' },
    ]);
    const { content } = await asReader.call('everything_get-tiny-image');
    expect(content).toContainEqual(expect.objectContaining({ type: 'image', mimeType: 'image/png' }));
    const { structuredContent } = await asReader.call('everything_get-structured-content', {
      location: 'Chicago',
    });
    expect(structuredContent).toHaveProperty('temperature');
    const heard: number[] = [];
    await asReader.call(
      'everything_trigger-long-running-operation',
      { duration: 1, steps: 4 },
      { onprogress: ({ progress }) => heard.push(progress) },
    );
    // The last progress notification arrives with the result.
    expect(heard.length).toBeGreaterThanOrEqual(2);
    expect(heard).toEqual([...heard].sort((a, b) => a - b));
  });

  it('cannot call the unlisted environment tool of everything', async () => {
    await expect(asReader.call('everything_get-env')).rejects.toThrow();
  });

  it('reads and writes within the permitted folder of filesystem, which receives no roots of the client', async () => {
    mkdirSync(share, { recursive: true });
    writeFileSync(join(share, 'a.txt'), 'kept');
    const read = await asReader.call('filesystem_read_text_file', { path: join(share, 'a.txt') });
    expect(read.content[0].text).toBe('kept');
    const outside = await asReader.call('filesystem_read_text_file', { path: '/etc/hostname' });
    expect(outside.isError).toBe(true);
    const file = join(share, `${line}.txt`);
    await expect(asReader.call('filesystem_write_file', { path: file, content: 'no' })).rejects.toThrow();
    expect(() => readFileSync(file)).toThrow();
    await asWriter.call('filesystem_write_file', { path: file, content: 'yes' });
    expect(readFileSync(file, 'utf8')).toBe('yes');
  });

  it('writes forty entries concurrently to memory without a loss', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `${line}-${index}`);
    await Promise.all(
      names.map((name) =>
        asWriter.call('memory_create_entities', {
          entities: [{ name, entityType: 'thing', observations: [] }],
        }),
      ),
    );
    const { structuredContent } = await asReader.call('memory_read_graph');
    const kept = (structuredContent.entities as { name: string }[]).map(({ name }) => name);
    expect(kept).toEqual(expect.arrayContaining(names));
  });

  it('receives the responses of the clouds of magic, context7, notion and neon', async () => {
    const texts = await Promise.all(
      (
        [
          ['magic_logo_search', { message: 'Go' }],
          ['context7_query-docs', { libraryId: '/example/library', query: 'how' }],
          ['notion_API-get-self', {}],
          ['neon_list_projects', { params: {} }],
        ] as const
      ).map(async ([name, args]) => (await asReader.call(name, args)).content[0].text as string),
    );
    expect(texts[0]).toBe('<Button>Go</Button>');
    expect(texts[1]).toBe('Call example() and be done.');
    expect(JSON.parse(texts[2]!)).toMatchObject({ name: 'Integration' });
    expect(JSON.parse(texts[3]!)).toMatchObject([{ name: 'payroll' }]);
  });

  it('receives a recorded tool error from exa', async () => {
    const result = await asReader.call('exa_web_search_exa', { query: 'x' });
    expect(result.isError).toBe(true);
    expect((await mounted.recorded('exa_web_search_exa')).status).toBe('tool_error');
  });

  it('receives a protocol error of github as a failure without its details', async () => {
    const result = await asReader.call('github_search_repositories', { query: 'x' });
    expect(result.isError).toBe(true);
    expect(JSON.stringify(result)).not.toContain('fetch failed');
    expect((await mounted.recorded('github_search_repositories')).status).toBe('failed');
  });

  it('controls a browser with playwright', async () => {
    if (!chromiumPath()) {
      if (process.env.CI === 'true') throw new Error('Chromium is not installed');
      console.warn('Chromium is not installed: playwright-mcp is skipped');
      return;
    }
    await expect(asReader.call('playwright_browser_navigate', { url: pageUrl })).rejects.toThrow();
    const opened = await asWriter.call('playwright_browser_navigate', { url: pageUrl });
    expect(opened.content[0].text).toContain('Page Title: Loopback');
    const seen = (await asReader.call('playwright_browser_snapshot')).content[0].text as string;
    const [, target] = /button "Press me" \[ref=(\w+)\]/.exec(seen) ?? [];
    expect(target).toBeDefined();
    const pressed = await asWriter.call('playwright_browser_click', { element: 'Press me', target });
    expect(pressed.content[0].text).toContain('Page Title: Pressed');
    const { content } = await asReader.call('playwright_browser_take_screenshot', { scale: 'css' });
    const image = (content as Record<string, string>[]).find(({ type }) => type === 'image');
    expect(image?.mimeType).toBe('image/png');
    const bytes = Buffer.from(image!.data!, 'base64');
    expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
    expect(bytes.subarray(-8, -4).toString('latin1')).toBe('IEND');
    await asWriter.call('playwright_browser_close');
  });
});

it("sends no caller's token to a cloud", () => {
  const requests = readNotes(cloudFolder.path).filter(({ event }) => event === 'cloud');
  expect(requests.length).toBeGreaterThan(8);
  for (const token of [reader, writer]) expect(JSON.stringify(requests)).not.toContain(token);
});

it('records every call with its user', async () => {
  const lines = mounted.gate
    .auditLog()
    .filter(({ event, tool }) => event === 'decision' && tool === 'memory_create_entities');
  expect(lines.length).toBeGreaterThanOrEqual(80);
  expect(new Set(lines.map(({ on_behalf_of: who }) => who))).toEqual(new Set(['bob']));
});
