import fc from 'fast-check';
import type { UpstreamSettings, UpstreamToolSettings } from '../config/settings.js';
import { couldMatchUpstream } from '../tools/mounted-names.js';
import { mountTool, undeclaredArguments } from './mount.js';
import { readTools } from './connection/read-tools.js';

const NOTHING: UpstreamToolSettings = {
  source: 'upstreams.yaml: files/x',
  match: ['*'],
  scopes: [],
  roles: [],
  allowWorkload: false,
  assurance: null,
  conditions: [],
  readOnly: false,
  recordedArguments: [],
  name: undefined,
  title: undefined,
  description: undefined,
  timeoutMs: undefined,
};
const relay = () => Promise.reject(new Error('nobody calls'));

function upstream(...tools: Partial<UpstreamToolSettings>[]): Pick<UpstreamSettings, 'prefix' | 'tools'> {
  return { prefix: 'files_', tools: tools.map((tool) => ({ ...NOTHING, ...tool })) };
}

function tool(more: object = {}) {
  const inputSchema = { type: 'object', properties: { path: { type: 'string', 'x-mcp-header': 'Path' } } };
  const [read] = readTools([{ name: 'read_file', description: 'reads', inputSchema, ...more }]).tools;
  return read!;
}

const mount = (settings: ReturnType<typeof upstream>, more: object = {}) =>
  mountTool(settings, tool(more), relay, undefined);

it('omits a tool without an entry', () => {
  expect(mount(upstream({ match: ['write_*', 'read'] }))).toBeUndefined();
});

it('combines the requirements of its entries, and admits workloads only if all entries do', () => {
  const settings = upstream(
    { match: ['*'], scopes: ['read'], allowWorkload: true, conditions: ['a'] },
    { match: ['read_*'], scopes: ['read', 'files'], roles: ['a', 'b'], conditions: ['b'] },
    { match: ['write_*'], scopes: ['never'] },
    { match: ['read_file'], roles: ['c'], readOnly: true },
  );
  const definition = mount(settings);
  expect(definition?.rule).toMatchObject({
    scopes: ['read', 'files'],
    roles: [['a', 'b'], ['c']],
    allowWorkload: false,
  });
  expect(definition?.conditions).toEqual(['a', 'b']);
  expect(definition?.readOnly).toBe(true);
  expect(mount(upstream({ scopes: ['read'], allowWorkload: true }))?.rule.allowWorkload).toBe(true);
});

it('never requires less with an additional entry', () => {
  const entry = fc.record({
    match: fc.subarray(['*', 'read_*', 'read_file', 'write_*'], { minLength: 1 }),
    scopes: fc.subarray(['a', 'b', 'c']),
    roles: fc.subarray(['x', 'y']),
    allowWorkload: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1 }), entry, (entries, another) => {
      const [fewer, more] = [entries, [...entries, another]].map((all) => mount(upstream(...all))?.rule);
      if (!fewer) return;
      expect(more?.scopes).toEqual(expect.arrayContaining([...fewer.scopes]));
      expect(more?.roles.length).toBeGreaterThanOrEqual(fewer.roles.length);
      expect(more?.allowWorkload === true && !fewer.allowWorkload).toBe(false);
    }),
  );
});

it('requires the strictest assurance, and rejects contradicting ones', () => {
  const settings = upstream(
    { assurance: { acr: ['mfa', 'pwd'], maxAgeSeconds: 300 } },
    { assurance: { acr: ['mfa'], maxAgeSeconds: null } },
  );
  expect(mount(settings)?.rule.assurance).toEqual({ acr: ['mfa'], maxAgeSeconds: 300 });
  const contradiction = upstream(
    { assurance: { acr: ['mfa'], maxAgeSeconds: null } },
    { assurance: { acr: ['pwd'], maxAgeSeconds: null } },
  );
  expect(() => mount(contradiction)).toThrow('no login satisfies all');
});

it('uses names and texts of the operator, and known hints only', () => {
  const settings = upstream({ match: ['read_file'], name: 'read', title: 'Ours', description: 'ours' });
  const annotations = { readOnlyHint: true, destructiveHint: 'no', title: 7, odd: 1 };
  expect(mount(settings, { annotations, outputSchema: { type: 'object' } })?.entry).toEqual({
    name: 'files_read',
    title: 'Ours',
    description: 'ours',
    inputSchema: { type: 'object', properties: { path: { type: 'string' } } },
    outputSchema: { type: 'object' },
    annotations: { readOnlyHint: true },
  });
  expect(mount(upstream({}), { annotations: { readOnlyHint: true } })?.readOnly).toBe(false);
});

it('reports a name that is longer than clients accept', () => {
  const remarksOf = (length: number) =>
    mount({ ...upstream({}), prefix: 'p'.repeat(length - 'read_file'.length) })?.remarks;
  expect(remarksOf(64)).toEqual([]);
  expect(remarksOf(65)).toEqual([expect.stringContaining('has 65 characters')]);
});

it('shows and reports repaired schemas, and decides by the original ones', () => {
  const inputSchema = { type: 'object', properties: { a: true, b: { type: 'string' } }, required: null };
  const definition = mount(upstream({}), { inputSchema, outputSchema: [{ type: 'object' }] });
  expect(definition?.entry).toMatchObject({
    inputSchema: { type: 'object', properties: { a: {}, b: { type: 'string' } } },
  });
  expect(definition?.entry).not.toHaveProperty('outputSchema');
  expect(definition?.inputSchema).toEqual(inputSchema);
  expect(definition?.remarks).toEqual([
    'inputSchema: /properties/a is true: shown as an object',
    'inputSchema: /required is null: left out',
    'outputSchema is not an object: it is shown without it',
  ]);
});

it('rejects a name that is too long, and an unknown audit argument', () => {
  expect(() => mount(upstream({ match: ['read_file'], name: 'x'.repeat(125) }))).toThrow(
    'exceeds the maximum length',
  );
  expect(() => mount(upstream({ recordedArguments: ['password'] }))).toThrow(
    'which is not an argument of this tool',
  );
});

it.each([
  [{}, ['b']],
  [{ additionalProperties: false }, ['b']],
  [{ additionalProperties: true }, []],
  [{ additionalProperties: {} }, []],
  [{ patternProperties: {} }, []],
])('lists undeclared arguments of %j', (more, expected) => {
  const definition = mount(upstream({}), { inputSchema: { type: 'object', properties: { a: {} }, ...more } });
  expect(undeclaredArguments(definition!, { a: 1, b: 2 })).toEqual(expected);
  expect(undeclaredArguments(definition!, { a: 1, toString: 2 })).toEqual(
    expected.length > 0 ? ['toString'] : [],
  );
});

it.each<[object, string[]]>([
  [{ allOf: [{ properties: { b: {} } }] }, []],
  [{ $ref: '#/$defs/more', $defs: { more: { properties: { b: {} } } } }, []],
  [{ $ref: '#/definitions/more', definitions: { more: { additionalProperties: true } } }, []],
  [{ oneOf: [{ properties: { b: {} } }, { additionalProperties: true }] }, []],
  [{ oneOf: [{ additionalProperties: true }] }, ['b']],
  [{ else: { properties: { b: {} } } }, []],
  [{ if: { properties: { if: { properties: { b: {} } } } } }, ['b']],
  [{ dependentSchemas: { a: { properties: { b: {} } } } }, []],
  [{ allOf: [{ $ref: '#' }] }, ['b']],
])('lists arguments of combined schemas: %j', (more, expected) => {
  const definition = mount(upstream({}), { inputSchema: { type: 'object', properties: { a: {} }, ...more } });
  expect(undeclaredArguments(definition!, { a: 1, b: 2 })).toEqual(expected);
});

it.each<[string, boolean]>([
  ['files_read_file', true],
  ['files_read', true],
  ['files_write', false],
  ['read_file', false],
  ['files_', false],
  ['files_read_me', true],
  ['prompt:files_read', false],
])('reports whether %s could be an upstream tool', (label, expected) => {
  expect(couldMatchUpstream(label, [upstream({ match: ['read_*'] }, { match: ['get'], name: 'read' })])).toBe(
    expected,
  );
});
