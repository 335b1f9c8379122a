/** States the declared type of a property whose value has another type. */
import type { ValidationError } from 'class-validator';

const WORDS = {
  string: 'a text (string)',
  number: 'a number',
  boolean: 'true or false (boolean)',
  array: 'a list (array)',
  object: 'an object',
  null: 'null',
} as const;

type Kind = keyof typeof WORDS;

const DECLARED: ReadonlyMap<unknown, Kind> = new Map<unknown, Kind>([
  [String, 'string'],
  [Number, 'number'],
  [Boolean, 'boolean'],
  [Array, 'array'],
]);

/** Rules of class-validator whose own message states the type. */
const STATES_TYPE = /^(isString|isInt|isNumber|isBoolean|isArray|isObject|isNumberString|isBooleanString)$/;
/** Rules of class-validator for strings, by the names of their constraints. */
const FOR_TEXTS =
  /^(matches|isLength|minLength|maxLength|contains|notContains|isEmail|isUrl|isUuid|isIp|isFQDN|isAlpha\w*|isAscii|isBase\w+|isHex\w*|isDateString|isISO\w+|isRFC\w+|isJSON|isJWT|isLowercase|isUppercase|isMongoId|isMimeType|isPort|isPhoneNumber|isMobilePhone|isSemVer|isSlug|isTimeZone|isLocale)$/;
const FOR_NUMBERS = /^(min|max|isPositive|isNegative|isDivisibleBy|isLatitude|isLongitude)$/;

/**
 * @param error with its `target` and `value`.
 * @returns the rest of a sentence about the property, without the value. Undefined if the type is correct,
 * undeclared, or stated by the message of a rule.
 */
export function typeFault({
  target,
  property,
  value,
  constraints = {},
}: ValidationError): string | undefined {
  const rules = Object.keys(constraints);
  if (value === undefined || rules.some((rule) => STATES_TYPE.test(rule))) return undefined;
  const expected = declaredKind(target, property) ?? kindOfRules(rules);
  const given = kindOf(value);
  if (expected === undefined || given === undefined) return undefined;
  if (given !== expected) return `must be ${WORDS[expected]}, not ${WORDS[given]}`;
  return given === 'array' ? elementFault(value as unknown[], rules) : undefined;
}

/** A string rule on a list applies to each element. */
function elementFault(values: readonly unknown[], rules: readonly string[]): string | undefined {
  const expected = kindOfRules(rules);
  const other = values.map(kindOf).find((kind) => kind !== undefined && kind !== expected);
  if (expected === undefined || other === undefined) return undefined;
  return `must be a list of which each value is ${WORDS[expected]}, not ${WORDS[other]}`;
}

function declaredKind(target: object | undefined, property: string): Kind | undefined {
  const type: unknown = target && Reflect.getMetadata('design:type', target, property);
  if (typeof type !== 'function' || type === Object || type === Date) return undefined;
  const kind = DECLARED.get(type);
  if (kind !== undefined) return kind;
  // A declared class. Values of built-in classes (Map, Set, Buffer) have no JSON form.
  return Object.hasOwn(globalThis, type.name) ? undefined : 'object';
}

function kindOfRules(rules: readonly string[]): Kind | undefined {
  if (rules.some((rule) => FOR_TEXTS.test(rule))) return 'string';
  return rules.some((rule) => FOR_NUMBERS.test(rule)) ? 'number' : undefined;
}

function kindOf(value: unknown): Kind | undefined {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  const type = typeof value;
  return type in WORDS ? (type as Kind) : undefined;
}
