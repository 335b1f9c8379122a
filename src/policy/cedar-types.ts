/** Arguments in Cedar's terms: the type of each from the tool's JSON Schema, and the value of each from what a caller sent. Pure. */
import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { JsonObject } from '../common/exchange.js';
import { isWellFormed } from '../common/well-formed.js';

export type ArgumentType =
  | { readonly kind: 'String' | 'Long' | 'Bool' | 'decimal' }
  | { readonly kind: 'Set'; readonly of: ArgumentType }
  | { readonly kind: 'record'; readonly members: ReadonlyMap<string, Member> };

interface Member {
  readonly type: ArgumentType;
  readonly required: boolean;
}

export type RecordType = Extract<ArgumentType, { kind: 'record' }>;

/** A value that is not of its type: a condition on it cannot be evaluated. */
export class UnfitValue extends Error {}

const SIMPLE = { string: 'String', integer: 'Long', number: 'decimal', boolean: 'Bool' } as const;
const MAX_DEPTH = 8;
const DECIMAL_DIGITS = 4;
/** Cedar's decimal is a 64-bit number of ten-thousandths; beyond this JSON's numbers are not exact in it. */
const MAX_DECIMAL = 9e11;
/** Values of one call that conditions look at. A request has room for so many that the engine takes a second for them. */
const MAX_VALUES = 10_000;
/** Of one tool: references make a small schema as large as somebody wants it. */
const MAX_MEMBERS = 1_000;
/** What the schema language cannot write down, and what means something else in the engine's JSON. */
const UNFIT_NAME = /[\p{Cc}\p{Cs}]|^__(entity|extn|expr)$/u;

/** How many more there may be. */
interface Budget {
  left: number;
}

/**
 * What of a JSON Schema Cedar can have; members of other types, and those of names that it cannot have, are left out, and
 * a policy that names one is refused. Schemas of other servers are anybody's: of one without end, the beginning.
 */
export function argumentsType(schema: JsonObject | undefined): RecordType {
  const type = schema && typeOf(schema, { root: schema, left: MAX_MEMBERS }, 0);
  return type?.kind === 'record' ? type : { kind: 'record', members: new Map() };
}

interface Reading extends Budget {
  readonly root: JsonObject;
}

function typeOf(schema: JsonObject, reading: Reading, depth: number): ArgumentType | undefined {
  reading.left -= 1;
  if (depth > MAX_DEPTH || reading.left < 0) return undefined;
  if (typeof schema.$ref === 'string') {
    const { $defs } = reading.root;
    const name = schema.$ref.slice('#/$defs/'.length);
    const referred = isObject($defs) && Object.hasOwn($defs, name) ? $defs[name] : undefined;
    return isObject(referred) ? typeOf(referred, reading, depth + 1) : undefined;
  }
  const { type } = schema;
  if (typeof type === 'string' && Object.hasOwn(SIMPLE, type)) {
    return { kind: SIMPLE[type as keyof typeof SIMPLE] };
  }
  if (type === 'array') {
    const { items } = schema;
    const of = isObject(items) ? typeOf(items, reading, depth + 1) : undefined;
    return of && { kind: 'Set', of };
  }
  if (type !== 'object' || !isObject(schema.properties)) return undefined;
  const required: unknown[] = Array.isArray(schema.required) ? schema.required : [];
  const members = new Map<string, Member>();
  for (const [name, property] of Object.entries(schema.properties)) {
    const inner =
      isObject(property) && !UNFIT_NAME.test(name) ? typeOf(property, reading, depth + 1) : undefined;
    if (inner) members.set(name, { type: inner, required: required.includes(name) });
  }
  return { kind: 'record', members };
}

/** As the schema language writes it. */
export function typeText(type: ArgumentType): string {
  switch (type.kind) {
    case 'Set':
      return `Set<${typeText(type.of)}>`;
    case 'record':
      return `{${[...type.members]
        .map(
          ([name, { type: inner, required }]) =>
            `${JSON.stringify(name)}${required ? '' : '?'}: ${typeText(inner)}`,
        )
        .join(', ')}}`;
    default:
      return type.kind;
  }
}

/**
 * Those of the arguments that are asked for, in Cedar's terms. What is null counts as not sent.
 * @throws UnfitValue where one is not of its type, or there are too many.
 */
export function toArguments(
  type: RecordType,
  sent: JsonObject,
  names: ReadonlySet<string>,
  budget: Budget = { left: MAX_VALUES },
): Record<string, CedarValueJson> {
  const values: Record<string, CedarValueJson> = {};
  for (const name of names) {
    const member = type.members.get(name);
    const value = Object.hasOwn(sent, name) ? sent[name] : undefined;
    if (member && value !== undefined && value !== null) values[name] = toValue(member.type, value, budget);
  }
  return values;
}

function toValue(type: ArgumentType, value: unknown, budget: Budget): CedarValueJson {
  budget.left -= 1;
  if (budget.left < 0) throw new UnfitValue('too many values');
  switch (type.kind) {
    case 'String':
      // A lone half of a surrogate pair is no character, and no text of Cedar's.
      if (typeof value === 'string' && isWellFormed(value)) return value;
      break;
    case 'Long':
      if (Number.isSafeInteger(value)) return value as number;
      break;
    case 'Bool':
      if (typeof value === 'boolean') return value;
      break;
    case 'decimal': {
      const text =
        typeof value === 'number' && Math.abs(value) < MAX_DECIMAL ? value.toFixed(DECIMAL_DIGITS) : '';
      if (text !== '' && Number(text) === value) return { __extn: { fn: 'decimal', arg: text } };
      break;
    }
    case 'Set':
      if (Array.isArray(value)) return value.map((item) => toValue(type.of, item, budget));
      break;
    case 'record':
      if (isObject(value)) return toArguments(type, value, new Set(type.members.keys()), budget);
  }
  throw new UnfitValue(`not a ${type.kind}`);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
