/** Tool lists of faulty and unusual upstreams: pages, names, schemas and revisions, as the gateway lists them. */
import { join } from 'node:path';
import { UPSTREAMS } from './support/acceptance-set.js';
import { temporaryFolder } from './support/gate.js';
import { agentV1, agentV2, Direct, fixture, MountedGate, pause } from './support/upstreams.js';

jest.setTimeout(120_000);

const ALICE = { sub: 'alice', scope: 'use' };
/** MCP 2026-07-28, server/tools, "Tool Names". */
const NAME = /^[A-Za-z0-9_.-]{1,128}$/;
const numbered = (count: number, prefix = 'tool_') =>
  Array.from({ length: count }, (_, at) => `${prefix}${at}`);

describe('tool list of an upstream', () => {
  const LISTS = {
    pages: 'bare,many=7,pages=3',
    looping: 'bare,many=3,looping-cursor',
    circling: 'bare,many=3,looping-cursors',
    endless: 'endless-pages',
    'empty-cursor': 'bare,many=2,empty-cursor',
    'strange-cursor': 'bare,many=2,strange-cursor',
    schemas: 'bare,bad-schemas',
    names: 'bare,bad-names',
    twins: 'bare,duplicates',
    defs: 'bare,defs',
    dialects: 'bare,dialects',
    many: 'bare,many=71',
    noise: 'noise',
    nulls: 'nulls,pretty',
    stderr: 'noisy-stderr',
    strict: 'strict',
    lying: 'bare,lying',
    tasks: 'bare,many=1,tasks',
    capable: 'bare,many=1,capabilities-lie',
    v2024: 'version=2024-11-05',
    v2025a: 'version=2025-03-26',
    v2025b: 'version=2025-06-18',
    slow: 'slow-initialize=700',
    flood: 'bare,many=1,list-changed-flood=5000',
    // These upstreams never return a list.
    future: 'version=2099-01-01',
    'hang-initialize': 'hang-initialize',
    'hang-list': 'hang-list',
    'hang-page': 'bare,many=4,pages=2,hang-on-page',
    'no-list': 'tools-is-no-list',
    'lies-about-tools': 'tools-lie',
    'too-large': 'huge-list=12',
    crash: 'crash-at-start',
  } as const;
  const NEVER = [
    'future',
    'hang-initialize',
    'hang-list',
    'no-list',
    'lies-about-tools',
    'too-large',
    'crash',
  ];
  const WITH = Object.keys(LISTS).filter((name) => !NEVER.includes(name) && name !== 'hang-page');

  let mounted: MountedGate;
  let token: string;
  let tools: Map<string, Record<string, any>>;
  const own = (name: string) =>
    [...tools.keys()]
      .filter((tool) => tool.startsWith(`${name}_`))
      .map((tool) => tool.slice(name.length + 1));

  beforeAll(async () => {
    mounted = await MountedGate.start((folder) =>
      Object.entries(LISTS).map(([name, doing]) =>
        fixture(folder, name, doing, {
          timeouts: { connect_seconds: 20, list_seconds: name.startsWith('hang') ? 2 : 20, call_seconds: 5 },
        }),
      ),
    );
    token = await mounted.gate.token(ALICE);
    const began = Date.now();
    await mounted.toolsOnce(token, () => true, 15);
    // Slow or faulty upstreams delay no other one. The limit covers the start of thirty processes.
    expect(Date.now() - began).toBeLessThan(15_000);
    const there = (names: readonly string[]) =>
      WITH.every((name) => names.some((tool) => tool.startsWith(`${name}_`)));
    tools = await mounted.toolsOnce(token, there, 60);
  });
  afterAll(() => mounted?.close());

  it.each(NEVER)('hides all tools of the upstream %s and no tools of another', (name) => {
    expect(own(name)).toEqual([]);
  });

  it.each([
    ['pages', numbered(7)],
    ['looping', numbered(3)],
    ['circling', numbered(3)],
    ['empty-cursor', numbered(2)],
    ['strange-cursor', numbered(2)],
    ['many', numbered(71)],
    ['capable', ['tool_0']],
    ['flood', ['tool_0']],
    ['lying', ['delete_everything']],
  ] as const)('is read completely for the upstream %s', (name, expected) => {
    expect(own(name).sort()).toEqual([...expected].sort());
  });

  it('has a page limit', () => {
    expect(own('endless').length).toBeGreaterThan(0);
    const asked = mounted.noted('endless', 'request').filter(({ method }) => method === 'tools/list');
    expect(asked.length).toBeLessThan(300);
  });

  it('hides tools with invalid schemas and shows those with valid ones', () => {
    expect(own('schemas')).toEqual(expect.arrayContaining(['good_first', 'good_last']));
    for (const bad of [
      'no_schema',
      'null_schema',
      'text_schema',
      'array_schema',
      'true_schema',
      'not_an_object',
      'missing_ref',
      'external_ref',
      'file_ref',
      'deep',
    ]) {
      expect(own('schemas')).not.toContain(bad);
    }
  });

  it('shows tools with unusual schemas repaired, or without their output schema', () => {
    const shown = (name: string) => tools.get(`schemas_${name}`);
    for (const name of [
      'no_type',
      'null_required',
      'nullable_type',
      'odd_dialect',
      'bad_keyword',
      'bad_pattern',
    ])
      expect(shown(name)?.inputSchema).toMatchObject({ type: 'object', properties: expect.anything() });
    expect(shown('boolean_property')?.inputSchema.properties).toEqual({
      any: {},
      none: { not: {} },
      missing: {},
    });
    for (const name of [
      'missing_ref_in_output',
      'bad_output',
      'list_output',
      'alternative_output',
      'nullable_output',
      'untyped_output',
      'endless_output',
    ]) {
      expect(shown(name)).toBeDefined();
      expect(shown(name)).not.toHaveProperty('outputSchema');
    }
    expect(shown('odd_output')?.outputSchema.properties).toEqual({ a: {} });
    for (const name of ['shared_output', 'shared_output_too'])
      expect(shown(name)?.outputSchema).not.toHaveProperty('$id');
  });

  it.each([
    ['v1', agentV1],
    ['v2', agentV2],
  ] as const)('is complete for a client of %s', async (_line, connect) => {
    const agent = await connect(mounted.gate.url, token);
    const names = (await agent.list()).map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['schemas_good_first', 'schemas_odd_output', 'defs_defs_0', 'many_tool_70']),
    );
    await agent.close();
  });

  it('hides tools with invalid names', () => {
    expect(own('names')).toEqual(
      expect.arrayContaining(['good_name', 'API-get.user_v2', '__node_version', '-leading']),
    );
    for (const name of tools.keys()) expect(name).toMatch(NAME);
  });

  it('hides tools that share a name', () => {
    expect(own('twins')).toEqual(['only_child']);
  });

  it('hides a tool that runs only as a task', () => {
    expect(own('tasks')).toEqual(['tool_0']);
  });

  it.each(['defs', 'dialects'] as const)('passes the schemas of the upstream %s unchanged', async (name) => {
    const folder = temporaryFolder();
    const server = join(UPSTREAMS, 'fixtures/server.mjs');
    const command = ['node', server, '--dir', folder.path, '--do', LISTS[name]];
    const direct = await Direct.start({ command }, folder.path);
    const sent = (await direct.ask('tools/list')).result.tools as Record<string, any>[];
    await direct.stop();
    folder.remove();
    for (const { name: tool, inputSchema } of sent) {
      const { $schema: dialect = '', ...plain } = inputSchema as { $schema?: string };
      // Clients reject an unknown schema dialect.
      const expected = dialect.includes('no-such-dialect') ? plain : inputSchema;
      expect(tools.get(`${name}_${tool}`)?.inputSchema).toEqual(expected);
    }
  });

  it.each(['noise', 'nulls', 'stderr', 'strict', 'v2024', 'v2025a', 'v2025b', 'slow'])(
    'allows a call of a tool of the upstream %s',
    async (name) => {
      const { body } = await mounted.gate.callTool(token, `${name}_echo`, { text: 'hé' });
      expect(body.result.content).toEqual([{ type: 'text', text: 'hé' }]);
    },
  );

  it('is read fewer than ten times after 5000 change notifications', async () => {
    await pause(2_500);
    const asked = mounted.noted('flood', 'request').filter(({ method }) => method === 'tools/list');
    expect(asked.length).toBeLessThan(10);
  });

  it('is requested without roots, sampling and elicitation capabilities', () => {
    const [hello] = mounted.noted('many', 'request').filter(({ method }) => method === 'initialize');
    for (const name of ['roots', 'sampling', 'elicitation']) {
      expect(hello?.params.capabilities).not.toHaveProperty(name);
    }
  });

  it('comes from a process with only the configured variables and its own folder', async () => {
    const { body } = await mounted.gate.callTool(token, 'noise_environment');
    const { env, cwd } = JSON.parse(body.result.content[0].text) as {
      env: Record<string, string>;
      cwd: string;
    };
    expect(Object.keys(env).sort()).toEqual(['HOME', 'LANG', 'PATH', 'TMPDIR']);
    expect(cwd).not.toBe(process.cwd());
    expect(cwd).toContain('noise');
  });
});
