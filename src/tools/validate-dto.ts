/** Validates a value against its class and rejects unknown members. */
import { plainToInstance } from 'class-transformer';
import { validate, type ValidationError } from 'class-validator';
import type { DtoClass } from './dto-schema.js';
import { typeFault } from './expected-type.js';

/** Faults are public: property paths and messages without values. */
export type Validated =
  { readonly ok: true; readonly input: object } | { readonly ok: false; readonly faults: string[] };

const MAX_FAULTS = 20;
const MAX_PATH = 100;

/** `undefined` counts as an empty object: MCP makes `arguments` optional. */
export async function validateDto(dto: DtoClass, value: unknown): Promise<Validated> {
  const plain = value ?? {};
  if (typeof plain !== 'object' || Array.isArray(plain))
    return { ok: false, faults: ['the arguments must be an object'] };
  const inherited = inheritedName(plain);
  if (inherited !== undefined) return { ok: false, faults: [`${inherited} should not exist`] };
  const input = plainToInstance(dto, plain);
  const errors = await validate(input, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    // Needed to state the expected type. Faults never repeat a value.
    validationError: { target: true, value: true },
  });
  if (errors.length === 0) return { ok: true, input };
  return { ok: false, faults: errors.flatMap((error) => faultsOf(error, '')).slice(0, MAX_FAULTS) };
}

/** A key that every object inherits, such as `toString`: class-transformer drops it silently. */
function inheritedName(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = key in Object.prototype ? key : inheritedName(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

function faultsOf(error: ValidationError, parent: string): string[] {
  const path = `${parent}${error.property}`.slice(0, MAX_PATH);
  const own = Object.entries(error.constraints ?? {}).map(([rule, message]) => {
    // The message of the library would repeat an unknown name at any length.
    if (rule === 'whitelistValidation') return `${path} should not exist`;
    return message.startsWith(error.property)
      ? path + message.slice(error.property.length)
      : `${path}: ${message}`;
  });
  const wrongType = typeFault(error);
  if (wrongType !== undefined) own.unshift(`${path} ${wrongType}`);
  return [...own, ...(error.children ?? []).flatMap((child) => faultsOf(child, `${path}.`))];
}
