/**
 * Finds input properties whose values are transformed before the method sees them. Conditions on them would compare
 * other values.
 */
import { createRequire } from 'node:module';
import { dtoSchema, isValidatedClass, type DtoClass } from './dto-schema.js';

/** class-transformer exports the store of its decorators from this file only. */
interface TransformerStore {
  findTransformMetadatas(type: DtoClass, property: string, direction: number): unknown[];
  findTypeMetadata(type: DtoClass, property: string): { typeFunction(): unknown } | undefined;
  findExposeMetadata(type: DtoClass, property: string): unknown;
  findExcludeMetadata(type: DtoClass, property: string): unknown;
}
const { defaultMetadataStorage: store } = createRequire(__filename)('class-transformer/cjs/storage') as {
  defaultMetadataStorage: TransformerStore;
};
const PLAIN_TO_CLASS = 0;

/**
 * Names of properties with `@Transform`, `@Expose` or `@Exclude`, with a converting `@Type`, or with such a nested
 * property.
 */
export function transformedProperties(dto: DtoClass): string[] {
  return transformedIn(dto, new Set());
}

function transformedIn(dto: DtoClass, seen: Set<unknown>): string[] {
  if (seen.has(dto)) return [];
  seen.add(dto);
  return Object.keys(dtoSchema(dto).properties as object).filter((property) => {
    if (store.findTransformMetadatas(dto, property, PLAIN_TO_CLASS).length > 0) return true;
    if (store.findExposeMetadata(dto, property) || store.findExcludeMetadata(dto, property)) return true;
    const type = store.findTypeMetadata(dto, property)?.typeFunction();
    if (type === undefined) return false;
    return isValidatedClass(type) ? transformedIn(type, seen).length > 0 : true;
  });
}
