/** Cedar types of arguments from JSON Schemas, and Cedar values from arguments. Pure. */
import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs';
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import { isWellFormed } from '../../lib/well-formed.js';
import { shapeOf, type Shape, type Simple } from './argument-shape.js';

export type ArgumentType =
  | { readonly kind: Simple }
  | { readonly kind: 'Set'; readonly of: ArgumentType }
  | { readonly kind: 'record'; readonly members: ReadonlyMap<string, Member> };

interface Member {
  readonly type: ArgumentType;
  readonly required: boolean;
}

export type RecordType = Extract<ArgumentType, { kind: 'record' }>;

/** A value of another type: conditions on it cannot be evaluated. */
export class UnfitValue extends Error {}

const DECIMAL_DIGITS = 4;
/** Cedar's decimal is a 64-bit number of ten-thousandths; larger JSON numbers are not exact in it. */
const MAX_DECIMAL = 9e11;
/** Limit of converted values per call: a request could contain enough to occupy the engine for a second. */
const MAX_VALUES = 10_000;
/** Limit per tool: references can expand a small schema. */
const MAX_MEMBERS = 1_000;
/** Names that the schema language cannot express, or with another meaning in the engine's JSON or in JavaScript. */
const UNFIT_NAME = /[\p{Cc}\p{Cs}]|^__(entity|extn|expr|proto__)$/u;

/** Remaining number of values. */
interface Budget {
  left: number;
}

/**
 * Path of an argument in a rule: `context.arguments.filter.path`, or `context.arguments has filter` for presence
 * only.
 */
export interface ArgumentPath {
  readonly names: readonly string[];
  readonly isPresence: boolean;
}

/** Arguments read by rules: members by name, or `whole`. */
export type Reads = ReadonlyMap<string, Reads | 'whole'>;

export function readsOf(paths: readonly ArgumentPath[]): Reads {
  const byName = new Map<string, ArgumentPath[]>();
  for (const { names, isPresence } of paths) {
    const [name, ...rest] = names;
    if (name !== undefined) byName.set(name, [...(byName.get(name) ?? []), { names: rest, isPresence }]);
  }
  const isWhole = ({ names, isPresence }: ArgumentPath) => names.length === 0 && !isPresence;
  return new Map([...byName].map(([name, inner]) => [name, inner.some(isWhole) ? 'whole' : readsOf(inner)]));
}

/**
 * Cedar types of the arguments of a tool. Members without a Cedar type or with an unsupported name are omitted, and
 * rules on them are rejected. Nullable members are optional: null counts as absent.
 */
export function argumentsType(schema: JsonObject | undefined): RecordType {
  const type = schema && typeOf(shapeOf(schema), { left: MAX_MEMBERS });
  return type?.kind === 'record' ? type : { kind: 'record', members: new Map() };
}

function typeOf(shape: Shape, budget: Budget): ArgumentType | undefined {
  budget.left -= 1;
  if (shape.kind !== 'known' || !shape.type || budget.left < 0) return undefined;
  const { type } = shape;
  if (type.kind === 'Set') {
    const of = typeOf(type.of, budget);
    return of && { kind: 'Set', of };
  }
  if (type.kind !== 'record') return type;
  const members = new Map<string, Member>();
  for (const [name, { shape: inner, required }] of type.members) {
    const own = UNFIT_NAME.test(name) ? undefined : typeOf(inner, budget);
    // An object without supported members has no readable value.
    if (!own || (own.kind === 'record' && own.members.size === 0)) continue;
    members.set(name, { type: own, required: required && !isNullable(inner) });
  }
  return { kind: 'record', members };
}

function isNullable(shape: Shape): boolean {
  return shape.kind === 'known' && shape.nullable;
}

/** Text in the schema language. */
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
 * Cedar values of the requested arguments. Null counts as absent.
 * @throws UnfitValue for another type, or too many values.
 */
export function toArguments(
  type: RecordType,
  sent: JsonObject,
  reads: Reads,
  budget: Budget = { left: MAX_VALUES },
): Record<string, CedarValueJson> {
  const values: Record<string, CedarValueJson> = {};
  for (const [name, inner] of reads) {
    const member = type.members.get(name);
    const value = Object.hasOwn(sent, name) ? sent[name] : undefined;
    if (!member || value === undefined || value === null) continue;
    if (inner !== 'whole' && member.type.kind === 'record' && isJsonObject(value)) {
      values[name] = toArguments(member.type, value, inner, budget);
    } else values[name] = toValue(member.type, value, budget);
  }
  return values;
}

/** Complete value: the engine sees what the tool receives, with lists as sets. */
function toValue(type: ArgumentType, value: unknown, budget: Budget): CedarValueJson {
  budget.left -= 1;
  if (budget.left < 0) throw new UnfitValue('too many values');
  switch (type.kind) {
    case 'String':
      // A lone surrogate is not a character in Cedar.
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
      // Records that differ only in an untyped member would be equal in conditions.
      if (isJsonObject(value) && Object.keys(value).every((name) => type.members.has(name))) {
        const all = [...type.members.keys()].map((name) => [name, 'whole'] as const);
        return toArguments(type, value, new Map(all), budget);
      }
  }
  throw new UnfitValue(`not a ${type.kind}`);
}
