/** Which properties of an input a method is not given as the caller sent them: a condition on them would judge another value. */
import { createRequire } from 'node:module';
import { dtoSchema, isValidatedClass, type DtoClass } from './dto-schema.js';

/** class-transformer keeps what its decorators say in a store that it exports only from this file. */
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

/** Names of the properties under `@Transform`, `@Expose` or `@Exclude`, under a `@Type` that converts, or with such a property inside. */
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
