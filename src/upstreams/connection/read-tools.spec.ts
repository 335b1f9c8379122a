import fc from 'fast-check';
import { readTools } from './read-tools.js';

const SCHEMA = { type: 'object', properties: { path: { type: 'string' } } };
const GOOD = { name: 'read', inputSchema: SCHEMA };
const faultOf = (tool: unknown) => {
  const { tools, faults } = readTools([GOOD, tool]);
  expect(tools.map(({ name }) => name)).toEqual(['read']);
  return faults.join();
};

function nested(depth: number): object {
  return depth === 0 ? { type: 'string' } : { type: 'object', properties: { a: nested(depth - 1) } };
}

it('keeps the shown members of a tool unchanged, and drops others', () => {
  const annotations = { readOnlyHint: true, odd: 1 };
  const tool = { ...GOOD, title: 'Read', annotations, icons: [{ src: 'https://x' }], _meta: { a: 1 } };
  const [read] = readTools([tool]).tools;
  expect(read?.definition).toEqual({ name: 'read', title: 'Read', inputSchema: SCHEMA, annotations });
});

it('computes a digest per definition, independent of the order of members', () => {
  const digest = (tool: object) => readTools([tool]).tools[0]?.digest;
  const reordered = { inputSchema: { properties: SCHEMA.properties, type: 'object' }, name: 'read' };
  expect(digest(reordered)).toBe(digest(GOOD));
  const others = [
    { ...GOOD, description: 'x' },
    { ...GOOD, title: 'x' },
    { ...GOOD, annotations: { readOnlyHint: true } },
    { ...GOOD, outputSchema: { type: 'object' } },
    { ...GOOD, inputSchema: { ...SCHEMA, required: ['path'] } },
  ];
  expect(new Set([GOOD, ...others].map(digest)).size).toBe(6);
});

it.each<[string, unknown]>([
  ['is not an object', null],
  ['is not an object', []],
  ['is not a valid tool name', { inputSchema: SCHEMA }],
  ['is not a valid tool name', { name: 'a b', inputSchema: SCHEMA }],
  ['is not a valid tool name', { name: 'x'.repeat(129), inputSchema: SCHEMA }],
  ['inputSchema is not the schema of an object', { name: 'x' }],
  ['inputSchema is not the schema of an object', { name: 'x', inputSchema: { type: 'string' } }],
  ['inputSchema is not an object', { name: 'x', inputSchema: [] }],
  ['inputSchema nests deeper', { name: 'x', inputSchema: nested(40) }],
  ['description is not a string', { ...GOOD, name: 'x', description: 7 }],
  ['description is longer', { ...GOOD, name: 'x', description: 'x'.repeat(20_000) }],
  [
    'inputSchema refers to a missing part',
    { name: 'x', inputSchema: { ...SCHEMA, $ref: '#/$defs/Nothing' } },
  ],
  [
    'refers to an external schema',
    { name: 'x', inputSchema: { ...SCHEMA, $ref: 'https://evil.example/x.json' } },
  ],
  [
    'refers to an external schema',
    { name: 'x', inputSchema: { type: 'object', properties: { a: { $ref: 'other.json#/a' } } } },
  ],
  ['refers to a missing part', { name: 'x', inputSchema: { type: 'object', $ref: '#/%' } }],
  ['as a task only', { ...GOOD, name: 'x', execution: { taskSupport: 'required' } }],
  [
    'larger than',
    {
      name: 'x',
      inputSchema: { type: 'object', properties: { a: { enum: Array(15_000).fill('x'.repeat(20)) } } },
    },
  ],
  ['more than', { name: 'x', inputSchema: { type: 'object', examples: Array(25_000).fill({}) } }],
])('omits a tool that %s, and keeps the others', (fault, tool) => {
  expect(faultOf(tool)).toContain(fault);
});

it('omits a tool with a member __proto__', () => {
  const tool: unknown = JSON.parse(
    '{"name":"x","inputSchema":{"type":"object","properties":{"__proto__":{}}}}',
  );
  expect(faultOf(tool)).toContain('__proto__');
});

it.each([
  { type: 'object', properties: { a: { $ref: '#/$defs/A' } }, $defs: { A: { type: 'string' } } },
  { type: 'object', properties: { a: { $ref: '#' } } },
  { type: 'object', properties: { a: { $ref: '#here' } }, $defs: { A: { $anchor: 'here' } } },
  { type: 'object', properties: { a: { $ref: '#/$defs/a~1b' } }, $defs: { 'a/b': {} } },
])('keeps resolvable references: %j', (inputSchema) => {
  expect(readTools([{ name: 'x', inputSchema }]).tools).toHaveLength(1);
});

it.each([
  { inputSchema: { properties: {} } },
  { inputSchema: { type: ['object', 'null'] } },
  { inputSchema: SCHEMA, outputSchema: [] },
  { inputSchema: SCHEMA, outputSchema: { $ref: '#/$defs/Nothing' } },
  { inputSchema: SCHEMA, annotations: 'none' },
])('keeps a tool with a repairable deviation unchanged: %j', (more) => {
  expect(readTools([{ name: 'x', ...more }]).tools).toMatchObject([{ definition: { name: 'x', ...more } }]);
});

it('omits both tools with one name', () => {
  const { tools, faults } = readTools([
    GOOD,
    { ...GOOD, description: 'another' },
    { ...GOOD, name: 'other' },
  ]);
  expect(tools.map(({ name }) => name)).toEqual(['other']);
  expect(faults).toEqual(['read: is listed more than once']);
});

it('never throws, and never keeps a faulty tool', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.jsonValue(), fc.record({ name: fc.string(), inputSchema: fc.jsonValue() }))),
      (listed) => {
        const { tools, faults } = readTools(listed);
        expect(tools.length).toBeLessThanOrEqual(listed.length);
        expect(tools.length + faults.length).toBeLessThanOrEqual(listed.length * 2);
      },
    ),
  );
});
