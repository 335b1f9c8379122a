/** Arguments in Cedar's terms: the type of each from the tool's JSON Schema, and the value of each from what a caller sent. Pure. */
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

/** A value that is not of its type: a condition on it cannot be evaluated. */
export class UnfitValue extends Error {}

const DECIMAL_DIGITS = 4;
/** Cedar's decimal is a 64-bit number of ten-thousandths; beyond this JSON's numbers are not exact in it. */
const MAX_DECIMAL = 9e11;
/** Values of one call that conditions look at. A request has room for so many that the engine takes a second for them. */
const MAX_VALUES = 10_000;
/** Of one tool: references make a small schema as large as somebody wants it. */
const MAX_MEMBERS = 1_000;
/** Names that the schema language cannot write down, and names with another meaning in the engine's JSON or in JavaScript. */
const UNFIT_NAME = /[\p{Cc}\p{Cs}]|^__(entity|extn|expr|proto__)$/u;

/** How many more there may be. */
interface Budget {
  left: number;
}

/** How a rule reads an argument: `context.arguments.filter.path`, or `context.arguments has filter` for its presence alone. */
export interface ArgumentPath {
  readonly names: readonly string[];
  readonly isPresence: boolean;
}

/** Arguments that rules read: by name the members that they read of it, or `whole`. */
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
 * The Cedar types of a tool's arguments. Members whose type or name Cedar does not have are left out, and a policy that
 * names one is refused. A member that may be null is optional: null counts as not sent.
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
    // An object without members that Cedar has is no value that a condition could look into.
    if (!own || (own.kind === 'record' && own.members.size === 0)) continue;
    members.set(name, { type: own, required: required && !isNullable(inner) });
  }
  return { kind: 'record', members };
}

function isNullable(shape: Shape): boolean {
  return shape.kind === 'known' && shape.nullable;
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

/** The whole value: the engine sees what the tool receives, with lists as sets. */
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
      // Two records that differ in a member without a type would be equal to a condition.
      if (isJsonObject(value) && Object.keys(value).every((name) => type.members.has(name))) {
        const all = [...type.members.keys()].map((name) => [name, 'whole'] as const);
        return toArguments(type, value, new Map(all), budget);
      }
  }
  throw new UnfitValue(`not a ${type.kind}`);
}
