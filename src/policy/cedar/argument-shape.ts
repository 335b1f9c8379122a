/** Shape of arguments in a JSON Schema, as class-validator, Python, Rust, Go and .NET write it. Pure. */
import { referredTo } from '../../lib/json-pointer.js';
import { isJsonObject, type JsonObject } from '../../lib/json.js';

export type Simple = 'String' | 'Long' | 'Bool' | 'decimal';

/**
 * `any`: every type. `none`: types without a common Cedar type, or excessive nesting. `known`: values of `type` and,
 * with `nullable`, null; without `type` only null, or no value.
 */
export type Shape =
  | { readonly kind: 'any' }
  | { readonly kind: 'none' }
  | { readonly kind: 'known'; readonly type: ShapeType | undefined; readonly nullable: boolean };

export type ShapeType =
  | { readonly kind: Simple }
  | { readonly kind: 'Set'; readonly of: Shape }
  | { readonly kind: 'record'; readonly members: ReadonlyMap<string, ShapeMember> };

interface ShapeMember {
  readonly shape: Shape;
  readonly required: boolean;
}

interface Reading {
  readonly root: JsonObject;
  /** Remaining subschemas; references can make a small schema endless. */
  left: number;
}

const ANY: Shape = { kind: 'any' };
const NONE: Shape = { kind: 'none' };
const NEVER: Shape = { kind: 'known', type: undefined, nullable: false };
const NULL: Shape = { kind: 'known', type: undefined, nullable: true };
const SIMPLE = { string: 'String', integer: 'Long', number: 'decimal', boolean: 'Bool' } as const;
/** Nested records and lists. */
const MAX_DEPTH = 8;
/** Nested references and combinations at one place of a value. */
const MAX_STEPS = 32;
const MAX_SUBSCHEMAS = 10_000;

/** Shape of the values of a schema. The tool itself checks narrowing keywords such as `pattern`. */
export function shapeOf(schema: JsonObject): Shape {
  return read(schema, { root: schema, left: MAX_SUBSCHEMAS }, 0, 0);
}

function read(schema: unknown, reading: Reading, depth: number, steps: number): Shape {
  if (schema === true) return ANY;
  if (schema === false) return NEVER;
  reading.left -= 1;
  if (!isJsonObject(schema) || depth > MAX_DEPTH || steps > MAX_STEPS || reading.left < 0) return NONE;
  const inner = (one: unknown) => read(one, reading, depth, steps + 1);
  const parts: Shape[] = [ownShape(schema, reading, depth)];
  if (typeof schema.$ref === 'string') parts.push(inner(referredTo(reading.root, schema.$ref)));
  if (Array.isArray(schema.allOf)) parts.push(...schema.allOf.map(inner));
  for (const alternatives of [schema.anyOf, schema.oneOf]) {
    if (Array.isArray(alternatives)) parts.push(alternatives.map(inner).reduce(either, NEVER));
  }
  const shape = parts.reduce(both, ANY);
  // OpenAPI 3.0.
  return schema.nullable === true && shape.kind === 'known' ? { ...shape, nullable: true } : shape;
}

/** From `type`, `enum` and `const`, without references and combinations. */
function ownShape(schema: JsonObject, reading: Reading, depth: number): Shape {
  const { type, enum: values } = schema;
  let shape: Shape = ANY;
  if (type !== undefined) {
    const names: unknown[] = Array.isArray(type) ? type : [type];
    shape = names.map((name) => shapeOfType(name, schema, reading, depth)).reduce(either, NEVER);
  } else if (isJsonObject(schema.properties)) shape = shapeOfType('object', schema, reading, depth);
  else if (isJsonObject(schema.items)) shape = shapeOfType('array', schema, reading, depth);
  if (Array.isArray(values)) shape = both(shape, values.map(shapeOfValue).reduce(either, NEVER));
  if (Object.hasOwn(schema, 'const')) shape = both(shape, shapeOfValue(schema.const));
  return shape;
}

function shapeOfType(name: unknown, schema: JsonObject, reading: Reading, depth: number): Shape {
  if (name === 'null') return NULL;
  if (typeof name === 'string' && Object.hasOwn(SIMPLE, name)) {
    return known({ kind: SIMPLE[name as keyof typeof SIMPLE] });
  }
  if (name === 'array') {
    const { items } = schema;
    return known({ kind: 'Set', of: isJsonObject(items) ? read(items, reading, depth + 1, 0) : ANY });
  }
  if (name !== 'object') return NONE;
  const required: unknown[] = Array.isArray(schema.required) ? schema.required : [];
  const members = Object.entries(isJsonObject(schema.properties) ? schema.properties : {}).map(
    ([member, property]) =>
      [
        member,
        { shape: read(property, reading, depth + 1, 0), required: required.includes(member) },
      ] as const,
  );
  return known({ kind: 'record', members: new Map(members) });
}

function shapeOfValue(value: unknown): Shape {
  if (value === null) return NULL;
  if (typeof value === 'string') return known({ kind: 'String' });
  if (typeof value === 'boolean') return known({ kind: 'Bool' });
  if (typeof value === 'number') return known({ kind: Number.isSafeInteger(value) ? 'Long' : 'decimal' });
  return NONE;
}

function known(type: ShapeType): Shape {
  return { kind: 'known', type, nullable: false };
}

/** Shape of values of either schema. */
function either(a: Shape, b: Shape): Shape {
  if (a.kind === 'any' || b.kind === 'any') return ANY;
  if (a.kind === 'none' || b.kind === 'none') return NONE;
  const nullable = a.nullable || b.nullable;
  if (!a.type || !b.type) return { kind: 'known', type: a.type ?? b.type, nullable };
  const type = eitherType(a.type, b.type);
  return type ? { kind: 'known', type, nullable } : NONE;
}

function eitherType(a: ShapeType, b: ShapeType): ShapeType | undefined {
  if (a.kind === 'record' && b.kind === 'record') return merged(a.members, b.members, either, false);
  if (a.kind === 'Set' && b.kind === 'Set') return { kind: 'Set', of: either(a.of, b.of) };
  if (a.kind === b.kind) return a;
  return [a.kind, b.kind].sort().join() === 'Long,decimal' ? { kind: 'decimal' } : undefined;
}

/** Shape of values of both schemas. */
function both(a: Shape, b: Shape): Shape {
  if (a.kind === 'any') return b;
  if (b.kind === 'any') return a;
  if (a.kind === 'none' || b.kind === 'none') return NONE;
  const nullable = a.nullable && b.nullable;
  if (!a.type || !b.type) return { kind: 'known', type: undefined, nullable };
  const type = bothType(a.type, b.type);
  return type ? { kind: 'known', type, nullable } : NONE;
}

function bothType(a: ShapeType, b: ShapeType): ShapeType | undefined {
  if (a.kind === 'record' && b.kind === 'record') return merged(a.members, b.members, both, true);
  if (a.kind === 'Set' && b.kind === 'Set') return { kind: 'Set', of: both(a.of, b.of) };
  if (a.kind === b.kind) return a;
  return [a.kind, b.kind].sort().join() === 'Long,decimal' ? { kind: 'Long' } : undefined;
}

/** @param apply true if both schemas apply to a value: then a member that one requires is required. */
function merged(
  a: ReadonlyMap<string, ShapeMember>,
  b: ReadonlyMap<string, ShapeMember>,
  merge: (a: Shape, b: Shape) => Shape,
  apply: boolean,
): ShapeType {
  const members = [...new Set([...a.keys(), ...b.keys()])].map((name) => {
    const [one, other] = [a.get(name), b.get(name)];
    const required = apply
      ? one?.required === true || other?.required === true
      : one?.required === true && other?.required === true;
    const shape = one && other ? merge(one.shape, other.shape) : ((one ?? other) as ShapeMember).shape;
    return [name, { shape, required }] as const;
  });
  return { kind: 'record', members: new Map(members) };
}
