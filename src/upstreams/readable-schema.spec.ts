import { AjvJsonSchemaValidator as ValidatorV2 } from '@modelcontextprotocol/client/validators/ajv';
import { specTypeSchemas } from '@modelcontextprotocol/client';
import { ListToolsResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { AjvJsonSchemaValidator as ValidatorV1 } from '@modelcontextprotocol/sdk/validation/ajv';
import fc from 'fast-check';
import { isJsonObject, type JsonObject } from '../lib/json.js';
import { readableInput, readableOutput } from './readable-schema.js';
import { readTools } from './connection/read-tools.js';

const STRING = { type: 'string' };
const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });

/** Reads a list of one tool like both client lines: parsed, with its output schema compiled. */
function isRead(inputSchema: object, outputSchema: object | undefined): void {
  const list = { tools: [{ name: 'x', inputSchema, ...(outputSchema && { outputSchema }) }] };
  const [tool] = ListToolsResultSchema.parse(list).tools;
  const validated = specTypeSchemas.ListToolsResult['~standard'].validate(list) as { issues?: unknown };
  expect(validated.issues).toBeUndefined();
  if (!tool?.outputSchema) return;
  new ValidatorV1().getValidator(tool.outputSchema as never);
  new ValidatorV2().getValidator(tool.outputSchema as never);
}

it.each<[string, object, object, string]>([
  ['a property that is true', object({ a: true }), object({ a: {} }), '/properties/a is true'],
  ['a property that is false', object({ a: false }), object({ a: { not: {} } }), '/properties/a is false'],
  ['a property that is null', object({ a: null }), object({ a: {} }), '/properties/a is not a schema'],
  ['a property that is a list', object({ a: [STRING] }), object({ a: {} }), '/properties/a is not a schema'],
  ['required that is null', object({}, { required: null }), object({}), '/required is null'],
  [
    'required that is true',
    object({ a: { ...STRING, required: true } }),
    object({ a: STRING }),
    'is not a list of names',
  ],
  [
    'properties that are null',
    { type: 'object', properties: null },
    { type: 'object' },
    '/properties is null',
  ],
  [
    'a pattern of Python',
    object({ a: { ...STRING, pattern: '(?P<x>a)' } }),
    object({ a: STRING }),
    '/properties/a/pattern is not valid in JavaScript',
  ],
  [
    'a pattern with a flag',
    object({ a: { ...STRING, pattern: '(?i)a' } }),
    object({ a: STRING }),
    'is not valid in JavaScript',
  ],
  [
    'a name that is a pattern',
    object({ a: STRING }, { patternProperties: { '(': {} }, additionalProperties: false }),
    object({ a: STRING }),
    '/patternProperties has a pattern',
  ],
  [
    'a type that does not exist',
    object({ a: { type: 'file' } }),
    object({ a: {} }),
    'is not a type of JSON Schema',
  ],
  [
    'a bound of draft 4',
    object({ a: { minimum: 1, exclusiveMinimum: true } }),
    object({ a: { minimum: 1 } }),
    'is not a number',
  ],
  ['an id of draft 4', object({}, { id: 'urn:x' }), object({}), '/id is left out'],
  [
    'a dialect that clients do not have',
    object({}, { $schema: 'http://json-schema.org/draft-04/schema#' }),
    object({}),
    '/$schema is a dialect',
  ],
  ['a dialect that is no text', object({}, { $schema: 7 }), object({}), '/$schema is a dialect'],
  [
    'a tuple of draft 7 without its dialect',
    object({ a: { items: [STRING] } }),
    object({ a: {} }),
    'is a list',
  ],
  [
    'nullable beside a reference',
    object({ a: { $ref: '#/$defs/A', nullable: true } }, { $defs: { A: STRING } }),
    object({ a: { anyOf: [{ $ref: '#/$defs/A' }, { type: 'null' }] } }, { $defs: { A: STRING } }),
    '',
  ],
  [
    'nullable beside a type',
    object({ a: { ...STRING, nullable: true } }),
    object({ a: { type: ['string', 'null'] } }),
    '',
  ],
  ['an empty enum', object({ a: { enum: [] } }), object({ a: {} }), 'is not a list of values'],
  [
    'a fault inside of not',
    object({ a: { not: { pattern: '(' } } }),
    object({ a: {} }),
    '/properties/a/not cannot be read',
  ],
  [
    'a fault inside of oneOf',
    object({ a: { oneOf: [{ pattern: '(' }, STRING] } }),
    object({ a: {} }),
    '/properties/a/oneOf cannot be read',
  ],
  [
    'a fault that oneOf refers to',
    object({ a: { oneOf: [{ $ref: '#/$defs/A' }] } }, { $defs: { A: { pattern: '(' } } }),
    object({ a: { anyOf: [{ $ref: '#/$defs/A' }] } }, { $defs: { A: {} } }),
    'is shown as anyOf',
  ],
  ['a header of the upstream', object({ a: { ...STRING, 'x-mcp-header': 'A' } }), object({ a: STRING }), ''],
])('repairs %s', (_what, given, expected, why) => {
  const input = readableInput(given as JsonObject);
  expect(input.schema).toEqual(expected);
  expect(input.repairs.join('\n')).toContain(why);
  const output = readableOutput(given);
  expect(output).toMatchObject({ schema: expected });
  isRead(input.schema, (output as { schema: object }).schema);
});

it.each<[string, object]>([
  [
    'a property that is called pattern',
    object({ pattern: { type: 'string' }, required: { type: 'boolean' } }),
  ],
  [
    'values that are null',
    object({ a: { enum: ['x', null], default: null, const: null, examples: [null] } }),
  ],
  [
    'combined schemas',
    object(
      { a: { anyOf: [STRING, { type: 'null' }] } },
      { anyOf: [{ required: ['a'] }], $defs: { A: STRING } },
    ),
  ],
  [
    'a tuple in its dialect',
    object({ a: { items: [STRING] } }, { $schema: 'http://json-schema.org/draft-07/schema#' }),
  ],
  ['a reference', object({ a: { $ref: '#/$defs/A' }, b: { $ref: '#' } }, { $defs: { A: STRING } })],
])('does not change %s', (_what, given) => {
  expect(readableInput(given as JsonObject)).toEqual({ schema: given, repairs: [] });
  expect(readableOutput(given)).toEqual({ schema: given, repairs: [] });
  isRead(given, given);
});

it.each<[string, object]>([
  ['no type', { properties: {} }],
  ['object or null as its type', { type: ['object', 'null'], properties: {} }],
])('shows arguments as an object if the schema has %s', (_what, given) => {
  expect(readableInput(given as JsonObject).schema).toEqual({ ...given, type: 'object' });
});

it.each<[string, unknown, string]>([
  ['a list', [STRING], 'is not an object'],
  ['a text', 'object', 'is not an object'],
  ['a list of a list', { type: 'array', items: STRING }, 'does not have the type'],
  ['nullable', { type: ['object', 'null'] }, 'does not have the type'],
  ['without a type', { properties: {} }, 'does not have the type'],
  ['alternatives without a type', { anyOf: [{ type: 'object' }] }, 'does not have the type'],
  ['one with a reference to nothing', object({ a: { $ref: '#/$defs/A' } }), 'refers to a part'],
  [
    'one with a reference to elsewhere',
    object({ a: { $ref: 'https://evil.example/x.json' } }),
    'refers to a part',
  ],
  [
    'one with a reference to a value',
    object({ a: { $ref: '#/examples/0' } }, { examples: [{}] }),
    'refers to a part',
  ],
  ['one with an identity inside', object({ a: { $id: 'other', type: 'string' } }), 'has $id'],
  ['one with anchors', object({ a: { $anchor: 'a' }, b: { $anchor: 'a' } }), 'has $anchor'],
  ['one with dynamic references', object({ a: { $dynamicRef: '#a' } }), 'has $dynamicRef'],
  [
    'unevaluated members beside a fault',
    object({ a: { pattern: '(' } }, { unevaluatedProperties: false }),
    'cannot be read',
  ],
])('drops an output schema that is %s', (_what, given, why) => {
  expect(readableOutput(given)).toContain(why);
});

it('drops an output schema with more references than a compiler can follow', () => {
  const chain = (length: number) =>
    Object.fromEntries(
      Array.from({ length }, (_, at) => [`D${at}`, object({ a: { $ref: `#/$defs/D${at + 1}` } })]),
    );
  const of = (length: number) =>
    object({ a: { $ref: '#/$defs/D0' } }, { $defs: { ...chain(length), [`D${length}`]: {} } });
  expect(readableOutput(of(400))).toContain('refers to too many parts');
  const short = readableOutput(of(100)) as { schema: object };
  isRead(short.schema, short.schema);
});

it.each<[object]>([
  [{ A: { $ref: '#/$defs/A' } }],
  [{ A: { $ref: '#/$defs/B' }, B: { $ref: '#/$defs/A' } }],
  [{ A: { allOf: [{ anyOf: [{ $ref: '#/$defs/A' }] }] } }],
  [{ A: { if: { $ref: '#/$defs/A' }, else: {} } }],
])('drops an output schema with an endless reference: %j', ($defs) => {
  expect(readableOutput(object({ a: { $ref: '#/$defs/A' } }, { $defs }))).toContain('endless reference');
});

it('drops $id, under which clients would cache the schema for other tools', () => {
  const shared = { ...object({ a: STRING }), $id: 'https://example.com/result' };
  expect(readableOutput(shared)).toEqual({ schema: object({ a: STRING }), repairs: [] });
});

/** Schemas of all kinds, with values. */
const { schema } = fc.letrec<{ schema: JsonObject }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom<JsonObject>(
      {},
      STRING,
      { type: 'integer', minimum: 1 },
      { enum: ['a', null] },
      { const: 1 },
      { $ref: '#/$defs/D' },
    ),
    fc.dictionary(fc.constantFrom('a', 'b'), tie('schema')).map((properties) => object(properties)),
    fc
      .dictionary(fc.constantFrom('a', 'b'), tie('schema'))
      .map((properties) =>
        object(properties, { additionalProperties: false, required: Object.keys(properties) }),
      ),
    tie('schema').map((items) => ({ type: 'array', items })),
    fc
      .tuple(
        fc.constantFrom('allOf', 'anyOf', 'oneOf'),
        fc.array(tie('schema'), { minLength: 1, maxLength: 2 }),
      )
      .map(([name, list]) => ({ [name]: list })),
    fc
      .tuple(fc.constantFrom('not', 'if', 'contains', 'additionalProperties'), tie('schema'))
      .map(([name, one]) => ({ [name]: one })),
    fc
      .tuple(tie('schema'), tie('schema'), tie('schema'))
      .map(
        ([first, then, other]) =>
          JSON.parse(
            JSON.stringify({ if: first, else: other }).replace(/}$/, `,"then":${JSON.stringify(then)}}`),
          ) as JsonObject,
      ),
  ),
}));
const ODD: readonly JsonObject[] = [
  { pattern: '(' },
  { required: null },
  { required: true },
  { minimum: '1' },
  { type: 'file' },
  { nullable: true },
  { nullable: 'x' },
  { items: [{}] },
  { $schema: 7 },
  { id: 'x' },
  { $id: 'x' },
  { $anchor: 'x' },
  { format: 7 },

  { enum: [] },
  { allOf: [] },
  { anyOf: {} },
  { not: 7 },
  { not: null },
  { if: null },
  { properties: [] },
  { properties: { a: true, b: null } },
  { patternProperties: { '(': {} } },
  { patternProperties: 1 },
  { $defs: { D: 7 } },
  { $defs: [] },
  { dependencies: { a: 7 } },
  { dependentRequired: { a: 'b' } },
  { prefixItems: {} },
  { $ref: 7 },
  { $ref: '#/properties/a' },
  { $ref: '#/$defs/none' },
  { $dynamicRef: '#x' },
  { $async: true },
  { formatMinimum: 'x' },
  { unevaluatedProperties: false },
  { uniqueItems: 'yes' },
  { maxContains: 'x' },
  { contains: false },
  { title: null },
  { default: { $ref: 1 } },
  { const: null },
  { examples: 7 },
  { discriminator: 'x' },
  { 'x-mcp-header': 7 },
];

it('returns schemas that clients of both lines parse and compile, for random schemas', () => {
  const odd = fc.tuple(schema, fc.array(fc.constantFrom(...ODD), { maxLength: 4 }), fc.integer({ min: 0 }));
  fc.assert(
    fc.property(odd, fc.jsonValue({ maxDepth: 3 }), ([base, oddities, seed], anything) => {
      const spread = scattered(object({ a: base }, { $defs: { D: STRING } }), oddities, seed);
      for (const given of [spread, { type: 'object', ...(anything as object) }]) {
        const { tools } = readTools([{ name: 'x', inputSchema: given, outputSchema: given }]);
        for (const { definition } of tools) {
          const output = readableOutput(definition.outputSchema);
          let input: object;
          try {
            input = readableInput(definition.inputSchema as JsonObject).schema;
          } catch (error) {
            expect((error as Error).message).toContain('cannot be repaired');
            continue;
          }
          isRead(input, typeof output === 'string' ? undefined : output.schema);
        }
      }
    }),
    { numRuns: 400 },
  );
});

it('never narrows a schema', () => {
  const narrowing = ODD.filter(
    (one) =>
      ![
        '$ref',
        '$defs',
        'const',
        'nullable',
        'unevaluatedProperties',
        'contains',
        'items',
        '$id',
        '$anchor',
        '$dynamicRef',
        'not',
        'properties',
      ].includes(Object.keys(one)[0] as string),
  );
  const value = fc.oneof(
    fc.constantFrom<unknown>('a', 'b', 1, 0, null, true, [], ['a', 1], {}),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom<unknown>('a', 1, null, ['a'], { a: 'a' })),
  );
  const validator = new ValidatorV2();
  let allowed = 0;
  fc.assert(
    fc.property(
      schema,
      fc.array(fc.constantFrom(...narrowing), { maxLength: 3 }),
      fc.integer({ min: 0 }),
      value,
      (base, oddities, seed, sent) => {
        const plain = object({ a: base }, { $defs: { D: STRING } });
        if (!validator.getValidator(plain as never)({ a: sent }).valid) return;
        const shown = readableInput(scattered(plain, oddities, seed)).schema;
        expect(validator.getValidator(shown as never)({ a: sent }).valid).toBe(true);
        if (oddities.length > 0) allowed += 1;
      },
    ),
    { numRuns: 800 },
  );
  expect(allowed).toBeGreaterThan(50);
});

/** The schema with each deviation in one of its subschemas that does not contain it. */
function scattered(root: object, oddities: readonly JsonObject[], seed: number): JsonObject {
  const copy = structuredClone(root) as JsonObject;
  const nodes: JsonObject[] = [copy];
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [name, inner] of Object.entries(node)) {
      if (['enum', 'const', 'required'].includes(name)) continue;
      const several = ['properties', '$defs', 'allOf', 'anyOf', 'oneOf'].includes(name);
      for (const one of several ? Object.values(inner as object) : [inner]) {
        if (isJsonObject(one)) nodes.push(one as JsonObject);
        visit(one);
      }
    }
  };
  visit(copy);
  oddities.forEach((odd, at) => {
    const node = nodes[(seed + at * 7) % nodes.length] as JsonObject;
    for (const [name, value] of Object.entries(odd)) if (!Object.hasOwn(node, name)) node[name] = value;
  });
  return copy;
}
