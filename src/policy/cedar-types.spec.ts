import fc from 'fast-check';
import { argumentsType, typeText } from './cedar-types.js';
import { startCedar } from './load-cedar.js';

const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });

const engine = startCedar();

/** Whether the engine takes a schema with arguments of this type. */
function isTaken(schema: object): boolean {
  const type = typeText(argumentsType(schema as never));
  const text = `entity G; action "x" appliesTo { principal: [G], resource: [G], context: { arguments: ${type} } };`;
  return engine.checkParseSchema(text).type === 'success';
}

it('leaves out names that the engine cannot have, and keeps the others', () => {
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

it('has a type that the engine takes, whatever the names', () => {
  const name = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(fc.dictionary(name, fc.constant({ type: 'string' })), (properties) => {
      expect(isTaken(object(properties))).toBe(true);
    }),
    { numRuns: 50 },
  );
});

it('comes to an end with references that multiply', () => {
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
])('takes nothing for what it is not: %j', (schema) => {
  expect(() => argumentsType(schema as never)).not.toThrow();
});
