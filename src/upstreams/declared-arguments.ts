/** Arguments that an input schema declares, also in combined schemas. Pure. */
import { referredTo } from '../lib/json-pointer.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';

export interface DeclaredArguments {
  readonly names: ReadonlySet<string>;
  /** True if the schema allows other arguments. */
  readonly takesOthers: boolean;
}

/** Maximum number of subschemas at the root; references can make a small schema endless. */
const MAX_SUBSCHEMAS = 1_000;
/** Keywords with a list of schemas, with one schema, and with named schemas. Only `allOf` applies to every call. */
const LISTS = ['anyOf', 'oneOf', 'allOf'] as const;
const SINGLE = ['if', 'then', 'else'] as const;
const BY_NAME = ['dependentSchemas'] as const;

export function declaredArguments(root: JsonObject): DeclaredArguments {
  const names = new Set<string>();
  let takesOthers = false;
  const pending: { schema: unknown; always: boolean }[] = [{ schema: root, always: true }];
  for (let read = 0; pending.length > 0 && read < MAX_SUBSCHEMAS; read++) {
    const { schema, always } = pending.pop() as { schema: unknown; always: boolean };
    if (!isJsonObject(schema)) continue;
    const { properties, patternProperties, additionalProperties, $ref } = schema;
    for (const name of Object.keys(isJsonObject(properties) ? properties : {})) names.add(name);
    if (
      always &&
      (patternProperties !== undefined || additionalProperties === true || isJsonObject(additionalProperties))
    )
      takesOthers = true;
    if (typeof $ref === 'string') pending.push({ schema: referredTo(root, $ref), always });
    for (const keyword of LISTS) {
      const inner: unknown[] = Array.isArray(schema[keyword]) ? schema[keyword] : [];
      pending.push(...inner.map((one) => ({ schema: one, always: always && keyword === 'allOf' })));
    }
    for (const keyword of SINGLE) pending.push({ schema: schema[keyword], always: false });
    for (const keyword of BY_NAME) {
      const inner = isJsonObject(schema[keyword]) ? Object.values(schema[keyword]) : [];
      pending.push(...inner.map((one) => ({ schema: one, always: false })));
    }
  }
  return { names, takesOthers };
}
