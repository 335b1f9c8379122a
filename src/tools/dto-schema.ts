/** JSON Schema (2020-12) of a class-validator class, derived once at startup. */
import { getMetadataStorage } from 'class-validator';
import { targetConstructorToSchema } from 'class-validator-jsonschema';
import { createRequire } from 'node:module';
import type { JsonObject } from '../lib/json.js';
export type DtoClass = new () => object;

const DEFS = '#/$defs/';

/** class-transformer exports its store of `@Type()` classes from this file only. */
const { defaultMetadataStorage } = createRequire(__filename)('class-transformer/cjs/storage') as {
  defaultMetadataStorage: never;
};
/** @throws Error if the class has no validated property, or if two nested classes have the same name. */
export function dtoSchema(dto: DtoClass): JsonObject {
  const schema = closed(dto);
  const defs: Record<string, JsonObject> = {};
  const wanted = referencesIn(schema);
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (defs[name]) continue;
    defs[name] = closed(classNamed(name));
    wanted.push(...referencesIn(defs[name]));
  }
  return Object.keys(defs).length > 0 ? { ...schema, $defs: defs } : schema;
}

/** True for a class with at least one validated property. */
export function isValidatedClass(dto: unknown): dto is DtoClass {
  return (
    typeof dto === 'function' &&
    getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false).length > 0
  );
}

function closed(dto: DtoClass): JsonObject {
  const { type, description, properties, required } = targetConstructorToSchema(dto, {
    classTransformerMetadataStorage: defaultMetadataStorage,
    refPointerPrefix: DEFS,
  }) as JsonObject;
  return {
    type: type ?? 'object',
    ...(description !== undefined && { description }),
    properties: properties ?? {},
    ...(Array.isArray(required) && required.length > 0 && { required }),
    additionalProperties: false,
  };
}

function classNamed(name: string): DtoClass {
  const storage = getMetadataStorage() as unknown as {
    validationMetadatas: Map<unknown, { target: unknown }[]>;
  };
  const classes = [...storage.validationMetadatas.keys()].filter(
    (target): target is DtoClass => typeof target === 'function' && target.name === name,
  );
  const [only, other] = classes;
  if (!only || other)
    throw new Error(`the nested class ${name} ${only ? 'exists twice' : 'has no validated property'}`);
  return only;
}

function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [inner.slice(DEFS.length)] : referencesIn(inner),
  );
}
