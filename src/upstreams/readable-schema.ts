/**
 * Repairs a JSON Schema of an upstream for stock clients. A repair keeps the meaning or allows more, never less: the
 * upstream validates its arguments itself. Pure.
 */
import { referredTo } from '../lib/json-pointer.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';

export interface ReadableSchema {
  readonly schema: JsonObject;
  /** One sentence per repair, with its place. */
  readonly repairs: readonly string[];
}

const MAX_REPAIRS = 20;
/** Limit of nested references: at twice this depth compilers of stock clients exhaust their stack. */
const MAX_REFERRED_DEPTH = 500;
/** Marks a subschema without a repair: its keyword is dropped. */
const UNFIT = Symbol('unfit');
type Repaired = JsonObject | boolean | typeof UNFIT;

const TYPES = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'null'];
/** Keywords with one schema. In the second group a wider subschema narrows the whole. */
const SCHEMAS = [
  'additionalProperties',
  'propertyNames',
  'unevaluatedProperties',
  'unevaluatedItems',
  'contentSchema',
  'then',
  'else',
  'additionalItems',
];
const SCHEMAS_EXACT = ['not', 'if', 'contains'];
const LISTS = ['allOf', 'anyOf', 'prefixItems'];
/** The second keyword narrows without the first. */
const DEPENDENT = [
  ['if', 'then'],
  ['if', 'else'],
  ['properties', 'additionalProperties'],
  ['patternProperties', 'additionalProperties'],
  ['prefixItems', 'items'],
] as const;
const BY_NAME = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'];
const NUMBERS = [
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'minContains',
  'maxContains',
];
const TEXTS = [
  'format',
  '$ref',
  '$dynamicRef',
  '$recursiveRef',
  'title',
  'description',
  '$comment',
  'contentEncoding',
  'contentMediaType',
];
/** Keywords with literal values, null included. */
const VALUES = ['const', 'default', 'enum', 'examples', 'example'];
/**
 * Never shown. `x-mcp-header` is internal; clients cache a schema with `$id` for other tools; the others break the
 * compilers of stock clients, or disable checks.
 */
const LEFT_OUT = [
  'x-mcp-header',
  'id',
  '$async',
  'formatMinimum',
  'formatMaximum',
  'formatExclusiveMinimum',
  'formatExclusiveMaximum',
];
/** Dialects in which a list under `items` is a tuple. */
const TUPLES = /^https?:\/\/json-schema\.org\/(draft-0[67]|draft\/2019-09)\/schema#?$/;
/** Dialects of stock clients (SDK 2.x rejects others). */
const DIALECTS = /^https?:\/\/json-schema\.org\/(draft-0[67]|draft\/2019-09|draft\/2020-12)\/schema#?$/;
/** References that all compilers of stock clients resolve alike. */
const PLAIN_REFERENCE = /^#(\/[A-Za-z0-9_.$-]+)*$/;
const OWN_IDENTITY = ['$id', '$anchor', '$dynamicAnchor', '$recursiveAnchor', '$dynamicRef', '$recursiveRef'];

/**
 * Arguments are always an object.
 * @throws Error for an unresolvable reference after the repairs.
 */
export function readableInput(schema: JsonObject): ReadableSchema {
  const repair = repaired(schema);
  if (!repair)
    return { schema: { type: 'object' }, repairs: ['/ cannot be read by clients: shown as any object'] };
  const root = { ...repair.root, type: 'object' };
  const isLost = (reference: string) => reference.startsWith('#/') && !isSchema(referredTo(root, reference));
  if (repair.references.some(isLost)) throw new Error('its inputSchema cannot be repaired');
  return { schema: root, repairs: repair.repairs };
}

/** @returns the schema, or the cause for which the tool is shown without it. */
export function readableOutput(schema: unknown): ReadableSchema | string {
  if (!isJsonObject(schema)) return 'is not an object';
  const types = Array.isArray(schema.type) ? (schema.type as unknown[]) : [schema.type];
  if (types.length !== 1 || types[0] !== 'object') return 'does not have the type "object"';
  const repair = repaired(schema);
  if (!repair) return 'cannot be read by clients';
  const root = { ...repair.root, type: 'object' };
  return repair.compileFault(root) ?? { schema: root, repairs: repair.repairs };
}

/** First with `oneOf`; without a repair with `anyOf`, which allows more. */
function repaired(schema: JsonObject): Repair | undefined {
  return [false, true].map((relaxed) => new Repair(schema, relaxed)).find(({ isDone }) => isDone);
}

class Repair {
  readonly repairs: string[] = [];
  readonly references: string[] = [];
  readonly root: JsonObject;
  readonly isDone: boolean;
  private readonly hasTuples: boolean;
  /** All visited schemas: possible targets of references. */
  private readonly schemas = new Set<unknown>();
  private readonly keywords = new Set<string>();

  constructor(
    given: JsonObject,
    private readonly relaxed: boolean,
  ) {
    this.hasTuples = typeof given.$schema === 'string' && TUPLES.test(given.$schema);
    const text = JSON.stringify(given);
    const isExact = text.includes('"unevaluated') || this.refersWhereExact(given);
    const root = this.schema(given, '', !isExact);
    this.isDone = typeof root === 'object';
    this.root = typeof root === 'object' ? root : {};
  }

  /** Fault at which the compiler of a stock client fails and the client drops its list. */
  compileFault(repaired: JsonObject): string | undefined {
    const identity = OWN_IDENTITY.find((keyword) => this.keywords.has(keyword));
    if (identity !== undefined) return `has ${identity}, which clients resolve differently`;
    const targets = new Map<unknown, string>();
    for (const reference of this.references) {
      const target = referredTo(repaired, reference);
      if (!PLAIN_REFERENCE.test(reference) || (target !== repaired && !this.schemas.has(target)))
        return 'refers to a part that is not a schema';
      targets.set(target, reference);
    }
    const depths = depthsOf(repaired);
    const sum = [...targets.keys()].reduce((all: number, target) => all + (depths.get(target) ?? 0), 0);
    if (sum > MAX_REFERRED_DEPTH) return 'refers to too many parts';
    return hasEndlessReference(repaired, [...targets.keys()]) ? 'has an endless reference' : undefined;
  }

  /** @param widens true if a wider subschema widens the whole. */
  private schema(node: unknown, place: string, widens: boolean): Repaired {
    if (typeof node === 'boolean') return node;
    if (!isJsonObject(node)) return this.instead(place, 'is not a schema', widens, {});
    const repaired: JsonObject = {};
    for (const [keyword, value] of Object.entries(node)) {
      const kept = this.keyword(keyword, value, `${place}/${keyword}`, widens);
      if (kept === UNFIT) return UNFIT;
      if (kept === undefined) continue;
      if (keyword !== 'oneOf' || !this.relaxed) repaired[keyword] = kept;
      else {
        this.addRepair(`${place}/oneOf`, 'is shown as anyOf');
        if (node.anyOf === undefined) repaired.anyOf = kept;
      }
    }
    // Without their counterparts these would narrow.
    for (const [keyword, dependent] of DEPENDENT) {
      if (node[keyword] !== undefined && !(keyword in repaired)) delete repaired[dependent];
    }
    const whole = this.nullable(repaired);
    this.schemas.add(whole);
    return whole;
  }

  /** @returns undefined to drop the keyword. */
  private keyword(keyword: string, value: unknown, place: string, widens: boolean): unknown {
    if (LEFT_OUT.includes(keyword)) {
      if (keyword !== 'x-mcp-header') this.addRepair(place, 'is left out');
      return undefined;
    }
    if (VALUES.includes(keyword)) {
      if (keyword !== 'enum' || (Array.isArray(value) && value.length > 0)) return value;
      return this.without(place, 'is not a list of values', widens);
    }
    // JSON-RPC 1 style for an unset member.
    if (value === null) {
      this.addRepair(place, 'is null: left out');
      return undefined;
    }
    if (keyword === '$id' && place === '/$id') return undefined;
    if (keyword === '$schema') {
      if (place === '/$schema' && typeof value === 'string' && DIALECTS.test(value)) return value;
      this.addRepair(place, 'is a dialect that clients do not support: dropped');
      return undefined;
    }
    this.keywords.add(keyword);
    if (keyword === '$ref' && typeof value === 'string') this.references.push(value);
    if (SCHEMAS.includes(keyword)) return this.inner(value, place, widens, widens);
    if (SCHEMAS_EXACT.includes(keyword)) return this.inner(value, place, widens, false);
    if (LISTS.includes(keyword)) return this.list(value, place, widens, widens);
    if (keyword === 'oneOf') return this.list(value, place, widens, widens && this.relaxed);
    if (BY_NAME.includes(keyword)) return this.byName(keyword, value, place, widens);
    if (keyword === 'items') {
      if (!Array.isArray(value)) return this.inner(value, place, widens, widens);
      return this.hasTuples
        ? this.list(value, place, widens, widens)
        : this.without(place, 'is a list, which its dialect does not have', widens);
    }
    if (keyword === 'dependencies') return this.dependencies(value, place, widens);
    const why = valueFault(keyword, value);
    return why === undefined ? value : this.without(place, why, widens);
  }

  private inner(value: unknown, place: string, widens: boolean, widensInside: boolean): unknown {
    const repaired = this.schema(value, place, widensInside);
    return repaired === UNFIT ? this.without(place, 'cannot be read by clients', widens) : repaired;
  }

  private list(value: unknown, place: string, widens: boolean, widensInside: boolean): unknown {
    if (!Array.isArray(value) || value.length === 0)
      return this.without(place, 'is not a list of schemas', widens);
    const repaired = value.map((one, at) => this.schema(one, `${place}/${at}`, widensInside));
    return repaired.includes(UNFIT) ? this.without(place, 'cannot be read by clients', widens) : repaired;
  }

  private byName(keyword: string, value: unknown, place: string, widens: boolean): unknown {
    if (!isJsonObject(value)) return this.without(place, 'is not a mapping of schemas', widens);
    const named: JsonObject = {};
    for (const [name, one] of Object.entries(value)) {
      // Otherwise its members would count as additional ones, which may be rejected.
      if (keyword === 'patternProperties' && !isPattern(name)) {
        return this.without(place, 'has a pattern that is not valid in JavaScript', widens);
      }
      const inside = `${place}/${name}`;
      const repaired = this.schema(one, inside, widens);
      if (repaired === UNFIT) return UNFIT;
      // Clients of SDK 1.x accept only objects as properties.
      if (typeof repaired === 'object') named[name] = repaired;
      else {
        named[name] = repaired ? {} : { not: {} };
        this.schemas.add(named[name]);
        if (keyword === 'properties') this.addRepair(inside, `is ${repaired}: shown as an object`);
      }
    }
    return named;
  }

  private dependencies(value: unknown, place: string, widens: boolean): unknown {
    if (!isJsonObject(value)) return this.without(place, 'is not a mapping', widens);
    const named: JsonObject = {};
    for (const [name, one] of Object.entries(value)) {
      const repaired = isTexts(one) ? one : this.schema(one, `${place}/${name}`, widens);
      if (repaired === UNFIT) return UNFIT;
      named[name] = repaired;
    }
    return named;
  }

  /** True if a reference from a narrowing place leads to this subschema. */
  private refersWhereExact(node: unknown): boolean {
    if (typeof node !== 'object' || node === null) return false;
    const exact = this.relaxed ? SCHEMAS_EXACT : [...SCHEMAS_EXACT, 'oneOf'];
    return Object.entries(node).some(([keyword, value]) =>
      exact.includes(keyword) && typeof value === 'object' && JSON.stringify(value).includes('"$ref"')
        ? true
        : this.refersWhereExact(value),
    );
  }

  /** `nullable` of OpenAPI 3.0: adds null to the type, or an alternative to a reference. */
  private nullable(schema: JsonObject): JsonObject {
    const { nullable, ...rest } = schema;
    if (nullable === undefined) return schema;
    const { type } = rest;
    if (typeof type === 'string') return nullable === true ? { ...rest, type: [type, 'null'] } : rest;
    if (Array.isArray(type))
      return nullable === true ? { ...rest, type: [...new Set([...(type as unknown[]), 'null'])] } : rest;
    if (nullable !== true) return rest;
    this.schemas.add(rest);
    return { anyOf: [rest, { type: 'null' }] };
  }

  /** @returns undefined: dropped, which allows more. */
  private without(place: string, why: string, widens: boolean): undefined | typeof UNFIT {
    if (!widens) return UNFIT;
    this.addRepair(place, `${why}: left out`);
    return undefined;
  }

  private instead(place: string, why: string, widens: boolean, other: JsonObject): Repaired {
    if (!widens) return UNFIT;
    this.addRepair(place, `${why}: shown as any value`);
    this.schemas.add(other);
    return other;
  }

  private addRepair(place: string, what: string): void {
    if (this.repairs.length < MAX_REPAIRS) this.repairs.push(`${place.slice(0, 100) || '/'} ${what}`);
  }
}

/** Depth of every object and list. Tool definitions have a limited depth. */
function depthsOf(root: JsonObject): ReadonlyMap<unknown, number> {
  const depths = new Map<unknown, number>();
  const measure = (node: unknown): number => {
    if (typeof node !== 'object' || node === null) return 0;
    const inner = Object.values(node) as unknown[];
    const depth = 1 + inner.reduce((most: number, one) => Math.max(most, measure(one)), 0);
    depths.set(node, depth);
    return depth;
  };
  measure(root);
  return depths;
}

/** True if a reference leads back to itself at one place of a value: compilers would not terminate. */
function hasEndlessReference(root: JsonObject, targets: readonly unknown[]): boolean {
  const open = new Set<unknown>();
  const done = new Set<unknown>();
  const leadsBack = (node: unknown): boolean => {
    if (!isJsonObject(node) || done.has(node)) return false;
    if (open.has(node)) return true;
    open.add(node);
    const combined = [node.allOf, node.anyOf, node.oneOf].flatMap((list): unknown[] =>
      Array.isArray(list) ? list : [],
    );
    const dependent = [node.dependentSchemas, node.dependencies].flatMap((named) =>
      isJsonObject(named) ? Object.values(named) : [],
    );
    const referred = typeof node.$ref === 'string' ? [referredTo(root, node.$ref)] : [];
    const isEndless = [...referred, ...combined, ...dependent, node.not, node.if, node.then, node.else].some(
      leadsBack,
    );
    open.delete(node);
    done.add(node);
    return isEndless;
  };
  return targets.some(leadsBack);
}

/** For keywords without schemas. */
function valueFault(keyword: string, value: unknown): string | undefined {
  if (NUMBERS.includes(keyword)) return typeof value === 'number' ? undefined : 'is not a number';
  if (TEXTS.includes(keyword)) return typeof value === 'string' ? undefined : 'is not a string';
  switch (keyword) {
    case 'type': {
      const types: unknown[] = Array.isArray(value) ? value : [value];
      return types.length > 0 && types.every((one) => TYPES.includes(one as string))
        ? undefined
        : 'is not a type of JSON Schema';
    }
    case 'pattern':
      return typeof value === 'string' && isPattern(value) ? undefined : 'is not valid in JavaScript';
    case 'required':
      return isTexts(value) ? undefined : 'is not a list of names';
    case 'dependentRequired':
      return isJsonObject(value) && Object.values(value).every(isTexts)
        ? undefined
        : 'is not a mapping to lists of names';
    case 'uniqueItems':
    case 'nullable':
      return typeof value === 'boolean' ? undefined : 'is neither true nor false';
    default:
      return undefined;
  }
}

/** ECMA-262 with the flag `u`, as in compilers of stock clients. */
function isPattern(text: string): boolean {
  try {
    return Boolean(new RegExp(text, 'u'));
  } catch {
    return false;
  }
}

function isSchema(value: unknown): boolean {
  return isJsonObject(value) || typeof value === 'boolean';
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
