import fc from 'fast-check';
import {
  argumentsType,
  readsOf,
  toArguments,
  typeText,
  UnfitValue,
  type ArgumentPath,
} from './cedar-types.js';
import { startCedar } from './load-cedar.js';

const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });

const engine = startCedar();

/** True if the engine accepts a schema with arguments of this type. */
function isTaken(schema: object): boolean {
  const type = typeText(argumentsType(schema as never));
  const text = `entity G; action "x" appliesTo { principal: [G], resource: [G], context: { arguments: ${type} } };`;
  return engine.checkParseSchema(text).type === 'success';
}

it('omits names that the engine does not support, and keeps the others', () => {
  const names = [
    'plain',
    'a b',
    'a"b',
    'a\\b',
    'a\nb',
    'é',
    '😀',
    '',
    'a\u0001b',
    '\ud800',
    'a\\u0001b',
    'a\bb',
  ];
  const schema = object(Object.fromEntries(names.map((name) => [name, { type: 'string' }])));
  expect([...argumentsType(schema).members.keys()]).toEqual(
    names.filter((name) => !['a\nb', 'a\u0001b', '\ud800', 'a\bb', '__extn'].includes(name)),
  );
  expect(isTaken(schema)).toBe(true);
});

it('creates a type that the engine accepts, for random names', () => {
  const name = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(fc.dictionary(name, fc.constant({ type: 'string' })), (properties) => {
      expect(isTaken(object(properties))).toBe(true);
    }),
    { numRuns: 50 },
  );
});

it('terminates for multiplying references', () => {
  const wide = Object.fromEntries(
    Array.from({ length: 50 }, (_, at) => [`p${at}`, { $ref: '#/$defs/next' }]),
  );
  const started = process.cpuUsage().user;
  argumentsType(object(wide, { $defs: { next: object(wide) } }));
  expect((process.cpuUsage().user - started) / 1_000).toBeLessThan(1_000);
});

it.each([
  object({ a: { type: 'string' } }, { required: 'a' }),
  object({ a: { $ref: '#/$defs/constructor' } }, { $defs: {} }),
  object({ a: { $ref: '#/$defs/x' } }, { $defs: 'x' }),
  { type: 'object', properties: [] },
])('rejects values of another type: %j', (schema) => {
  expect(() => argumentsType(schema as never)).not.toThrow();
});

const STRING = { type: 'string' };
const MODE = { enum: ['read', 'write'] };

describe('argumentsType for schemas of other languages', () => {
  const typeOfArgument = (schema: unknown, more: object = {}) =>
    typeText(argumentsType(object({ x: schema }, { required: ['x'], ...more }) as never));

  it.each<[string, unknown, string]>([
    ['a required string', STRING, '{"x": String}'],
    ['a nullable string of Pydantic', { anyOf: [STRING, { type: 'null' }], default: null }, '{"x"?: String}'],
    ['a nullable string of schemars', { type: ['string', 'null'] }, '{"x"?: String}'],
    ['a nullable string of OpenAPI 3.0', { ...STRING, nullable: true }, '{"x"?: String}'],
    ['a list of one type', { type: ['string'] }, '{"x": String}'],
    ['an optional integer', { anyOf: [{ type: 'integer' }, { type: 'null' }] }, '{"x"?: Long}'],
    ['a nullable integer of .NET', { type: ['integer', 'null'], format: 'int32' }, '{"x"?: Long}'],
    ['oneOf with null', { oneOf: [{ type: 'null' }, { type: 'boolean' }] }, '{"x"?: Bool}'],
    ['an enum without type', MODE, '{"x": String}'],
    ['an enum with null', { enum: ['a', null] }, '{"x"?: String}'],
    ['an enum of integers', { enum: [1, 2] }, '{"x": Long}'],
    ['an enum of numbers', { enum: [1, 2.5] }, '{"x": decimal}'],
    ['a const', { const: 'a' }, '{"x": String}'],
    ['a const that is false', { const: false }, '{"x": Bool}'],
    [
      'variants of an enum of schemars',
      { oneOf: [{ const: 'a' }, { ...STRING, enum: ['b'] }] },
      '{"x": String}',
    ],
    ['integer or number', { type: ['integer', 'number'] }, '{"x": decimal}'],
    ['a list', { type: 'array', items: STRING }, '{"x": Set<String>}'],
    ['a nullable list of Go', { type: ['null', 'array'], items: STRING }, '{"x"?: Set<String>}'],
    [
      'a list of nullable strings',
      { type: 'array', items: { type: ['string', 'null'] } },
      '{"x": Set<String>}',
    ],
    ['a list without type', { items: MODE }, '{"x": Set<String>}'],
    ['an object without type', { properties: { a: STRING } }, '{"x": {"a"?: String}}'],
    ['$defs', { $ref: '#/$defs/Mode' }, '{"x": String}'],
    ['definitions', { $ref: '#/definitions/Mode' }, '{"x": String}'],
    ['an escaped pointer', { $ref: '#/$defs/a~1b%20c' }, '{"x": Bool}'],
    ['a reference with a default', { $ref: '#/$defs/Mode', default: 'read' }, '{"x": String}'],
    ['allOf with a reference', { allOf: [{ $ref: '#/$defs/Mode' }], default: 'read' }, '{"x": String}'],
    ['a nullable reference', { anyOf: [{ $ref: '#/definitions/Mode' }, { type: 'null' }] }, '{"x"?: String}'],
    [
      'a list of references',
      { type: 'array', items: { allOf: [{ $ref: '#/$defs/Mode' }] } },
      '{"x": Set<String>}',
    ],
    [
      'allOf that adds members',
      { allOf: [object({ a: STRING }, { required: ['a'] }), object({ b: MODE })] },
      '{"x": {"a": String, "b"?: String}}',
    ],
    ['allOf that narrows', { ...STRING, allOf: [{ minLength: 1 }, { pattern: '^a' }] }, '{"x": String}'],
    [
      'oneOf of objects',
      {
        oneOf: [
          object({ kind: { const: 'a' }, path: STRING }, { required: ['kind'] }),
          object({ kind: { const: 'b' }, id: { type: 'integer' } }, { required: ['kind'] }),
        ],
      },
      '{"x": {"kind": String, "path"?: String, "id"?: Long}}',
    ],
    ['a reference to itself', { $ref: '#/$defs/Tree' }, '{"x": {"name"?: String'],
  ])("is Cedar's type for %s", (_what, schema, expected) => {
    const Tree = object({ name: STRING, child: { $ref: '#/$defs/Tree' } });
    const more = { $defs: { Mode: MODE, Tree, 'a/b c': { type: 'boolean' } }, definitions: { Mode: MODE } };
    expect(typeOfArgument(schema, more).slice(0, expected.length)).toBe(expected);
    expect(isTaken(object({ x: schema }, more))).toBe(true);
  });

  it.each<[string, unknown]>([
    ['true', true],
    ['false', false],
    ['no type', {}],
    ['null alone', { type: 'null' }],
    ['two types', { type: ['string', 'integer'] }],
    ['two types or null', { anyOf: [STRING, { type: 'integer' }, { type: 'null' }] }],
    ['a type or anything', { anyOf: [STRING, {}] }],
    ['a string or a list', { anyOf: [STRING, { type: 'array', items: STRING }] }],
    ['a contradiction', { ...STRING, allOf: [{ type: 'integer' }] }],
    ['an enum of two types', { enum: ['a', 1] }],
    ['a const that is a list', { const: ['a'] }],
    ['a list of anything', { type: 'array' }],
    ['a list of two types', { type: 'array', items: { type: ['string', 'boolean'] } }],
    ['an object of anything', { type: 'object' }],
    ['an unknown type', { type: 'file' }],
    ['a reference to nothing', { $ref: '#/$defs/none' }],
    ['a reference to somewhere else', { $ref: 'https://example.com/schema' }],
    ['references in a circle', { $ref: '#/$defs/a' }],
  ])('is omitted for %s', (_what, schema) => {
    const $defs = { a: { $ref: '#/$defs/b' }, b: { anyOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/a' }] } };
    expect(typeOfArgument(schema, { $defs })).toBe('{}');
  });
});

describe('toArguments', () => {
  const WHOLE: ArgumentPath = { names: ['x'], isPresence: false };
  const given = (schema: object, x: unknown, paths: readonly ArgumentPath[] = [WHOLE]) =>
    toArguments(argumentsType(object({ x: schema }) as never), { x } as never, readsOf(paths));

  it.each<[string, object, unknown]>([
    ['a string for a nullable integer', { type: ['integer', 'null'] }, '5'],
    ['null in a list', { type: 'array', items: { type: ['string', 'null'] } }, ['a', null]],
    ['a fraction for an integer', { type: 'integer' }, 1.5],
    ['a number that is not exact', { type: 'number' }, 0.00001],
    ['an undeclared member of an object that is read as a whole', object({ a: STRING }), { a: 'x', b: 'y' }],
    ['a __proto__ of it', object({ a: STRING }), JSON.parse('{"a":"x","__proto__":{"a":"y"}}')],
  ])('rejects %s', (_what, schema, x) => {
    expect(() => given(schema, x)).toThrow(UnfitValue);
  });

  it('reads members of an object with other members', () => {
    const schema = object({ a: STRING, b: { type: ['string', 'integer'] } });
    const path = { names: ['x', 'a'], isPresence: false };
    const presence = { names: ['x'], isPresence: true };
    const sent = { a: 'v', b: 7, c: [null] };
    expect(given(schema, sent, [path, presence])).toEqual({ x: { a: 'v' } });
    expect(given(schema, sent, [presence])).toEqual({ x: {} });
    expect(given(schema, null, [path, presence])).toEqual({});
    expect(() => given(schema, sent, [path, WHOLE])).toThrow(UnfitValue);
  });

  it('returns exactly the sent value or rejects it, for random schemas and values', () => {
    const scalar = fc.constantFrom<object>(STRING, { type: 'integer' }, { type: 'boolean' }, MODE, {
      type: 'number',
    });
    const { schema } = fc.letrec<{ schema: object }>((tie) => ({
      schema: fc.oneof(
        { maxDepth: 3 },
        scalar,
        scalar.map((one) => ({ anyOf: [one, { type: 'null' }] })),
        tie('schema').map((one) => ({ oneOf: [{ type: 'null' }, one] })),
        tie('schema').map((items) => ({ type: ['array', 'null'], items })),
        tie('schema').map((one) => ({ allOf: [one, {}] })),
        fc.tuple(tie('schema'), tie('schema')).map(([a, b]) => object({ a, b })),
        fc.tuple(tie('schema'), tie('schema')).map((anyOf) => ({ anyOf })),
      ),
    }));
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom(null, 'read', 'x', 1, -0, 2.5, true, false, 1e-7, 2 ** 53, '\ud800'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value')),
      ),
    }));
    let fitting = 0;
    fc.assert(
      fc.property(schema, value, (one, sent) => {
        const type = argumentsType(object({ x: one }) as never);
        let seen: unknown;
        try {
          seen = toArguments(type, { x: sent } as never, readsOf([WHOLE]));
        } catch (error) {
          expect(error).toBeInstanceOf(UnfitValue);
          return;
        }
        if (!type.members.has('x')) return expect(seen).toEqual({});
        expect(plain(seen)).toEqual(withoutNulls({ x: sent }));
        if (sent !== null) fitting += 1;
      }),
      { numRuns: 2_000 },
    );
    expect(fitting).toBeGreaterThan(50);
  });
});

/** Cedar values as JSON. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value === 0 ? 0 : value;
  const { __extn: decimal, ...members } = value as { __extn?: { arg: string } };
  if (decimal) return Number(decimal.arg) === 0 ? 0 : Number(decimal.arg);
  return Object.fromEntries(Object.entries(members).map(([name, one]) => [name, plain(one)]));
}

/** Removes null members; lists keep null. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value === 0 ? 0 : value;
  const kept = Object.entries(value).filter(([, one]) => one !== null);
  return Object.fromEntries(kept.map(([name, one]) => [name, withoutNulls(one)]));
}
