/** Turns a declaration into a definition: schemas, list entry and handler, computed once. */
import { TARGET_NAME } from '../core/patterns.js';
import 'reflect-metadata';
import type { JsonObject } from '../lib/json.js';
import { declaresRule, readAccessRule, readRecordedArguments } from '../policy/decorators.js';
import type {
  Declaration,
  PromptCompletionOptions,
  PromptOptions,
  ResourceOptions,
  ToolOptions,
} from './decorators.js';
import type { Handler, PromptDefinition, ResourceDefinition, ToolDefinition } from './definitions.js';
import { transformedProperties } from './transformed-properties.js';
import { dtoSchema, isValidatedClass, type DtoClass } from './dto-schema.js';
import { NoInput } from './no-input.js';
import type { ToolCall } from './tool-call.js';
import { compileUriTemplate } from './uri-template.js';

/** A decorated method of a provider. */
export interface Declared {
  readonly type: NewableFunction;
  readonly method: string;
  readonly declaration: Declaration;
  readonly instance: object;
}

const EMPTY_OBJECT_SCHEMA: JsonObject = { type: 'object', properties: {}, additionalProperties: false };
/** Arguments of a read of one fixed URI. */
const URI_SCHEMA: JsonObject = { type: 'object', properties: { uri: { type: 'string' } }, required: ['uri'] };

export function defineTool(declared: Declared, options: ToolOptions): ToolDefinition {
  requireName(options.name);
  if (!options.description?.trim()) throw new Error('a tool needs a description');
  const input = inputClass(declared);
  const { title, description, annotations, output } = options;
  if (output && !isValidatedClass(output)) throw new Error('the output must be a class-validator class');
  const inputSchema = input ? dtoSchema(input) : EMPTY_OBJECT_SCHEMA;
  return {
    kind: 'tool',
    name: options.name,
    rule: readAccessRule(declared.type, declared.method),
    recordedArguments: recordedArguments(declared, inputSchema),
    inputSchema,
    transformedProperties: input ? transformedProperties(input) : [],
    readOnly: annotations?.readOnlyHint === true,
    input,
    output,
    run: handlerOf(declared),
    entry: {
      name: options.name,
      ...(title !== undefined && { title }),
      description,
      inputSchema,
      ...(output && { outputSchema: dtoSchema(output) }),
      ...(annotations && { annotations: { ...annotations } }),
    },
  };
}

export function definePrompt(declared: Declared, options: PromptOptions): PromptDefinition {
  requireName(options.name);
  const input = inputClass(declared);
  const { title, description } = options;
  const schema = input ? dtoSchema(input) : EMPTY_OBJECT_SCHEMA;
  return {
    kind: 'prompt',
    name: options.name,
    rule: readAccessRule(declared.type, declared.method),
    recordedArguments: recordedArguments(declared, schema),
    inputSchema: schema,
    transformedProperties: input ? transformedProperties(input) : [],
    input,
    completions: new Map(),
    run: handlerOf(declared),
    entry: {
      name: options.name,
      ...(title !== undefined && { title }),
      ...(description !== undefined && { description }),
      arguments: promptArguments(schema),
    },
  };
}

export function defineCompletion(
  declared: Declared,
  options: PromptCompletionOptions,
  prompt: PromptDefinition,
): PromptDefinition {
  if (declaresRule(declared.type.prototype as object, declared.method)) {
    throw new Error('a completion has the access rule of its prompt and cannot declare one');
  }
  const known = (prompt.entry.arguments as { name: string }[]).some(({ name }) => name === options.argument);
  if (!known) throw new Error(`the prompt ${prompt.name} has no argument ${options.argument}`);
  if (prompt.completions.has(options.argument)) throw new Error(`${options.argument} is completed twice`);
  const complete = handlerOf(declared) as (value: string, call: ToolCall) => unknown;
  return { ...prompt, completions: new Map([...prompt.completions, [options.argument, complete]]) };
}

export function defineResource(declared: Declared, options: ResourceOptions): ResourceDefinition {
  requireName(options.name);
  if (readRecordedArguments(declared.type, declared.method).length > 0)
    throw new Error('@Audit applies to arguments; a resource has none');
  const { name, title, description, mimeType, uri, uriTemplate } = options;
  if ((uri === undefined) === (uriTemplate === undefined))
    throw new Error('a resource has either a uri or a uriTemplate');
  if (uri !== undefined && !URL.canParse(uri)) throw new Error(`${uri} is not a URI`);
  const at = uri !== undefined ? { uri } : { uriTemplate, matcher: compileUriTemplate(uriTemplate) };
  return {
    kind: 'resource',
    name,
    rule: readAccessRule(declared.type, declared.method),
    ...conditionArgumentsOf(at),
    at,
    mimeType,
    run: handlerOf(declared),
    entry: {
      ...('uri' in at ? { uri: at.uri } : { uriTemplate: at.uriTemplate }),
      name,
      ...(title !== undefined && { title }),
      ...(description !== undefined && { description }),
      ...(mimeType !== undefined && { mimeType }),
    },
  };
}

/**
 * Conditions on a template see its decoded variables, as the method does. A URI has many spellings (`%73ecret`), so a
 * condition on it would compare another value.
 */
function conditionArgumentsOf(
  at: ResourceDefinition['at'],
): Pick<ResourceDefinition, 'inputSchema' | 'variablesOf'> {
  if ('uri' in at) return { inputSchema: URI_SCHEMA };
  const { matcher } = at;
  const properties = Object.fromEntries(matcher.names.map((name) => [name, { type: 'string' }]));
  return {
    inputSchema: { type: 'object', properties, required: [...matcher.names] },
    variablesOf: (uri) => matcher.match(uri) ?? {},
  };
}

/** Class of the first parameter, from the metadata of the compiler. Undefined without a parameter. */
function inputClass({ type, method }: Declared): DtoClass | undefined {
  const types = Reflect.getMetadata('design:paramtypes', type.prototype as object, method) as
    unknown[] | undefined;
  if (!types)
    throw new Error('the build has no parameter types: enable emitDecoratorMetadata in tsconfig.json');
  if (types.length === 0 || types[0] === NoInput) return undefined;
  if (!isValidatedClass(types[0])) {
    throw new Error(
      'the first parameter must be a class-validator class (a DTO, imported as a value), NoInput, or absent',
    );
  }
  return types[0];
}

function recordedArguments({ type, method }: Declared, { properties }: JsonObject): readonly string[] {
  const names = readRecordedArguments(type, method);
  const unknown = names.find((name) => !Object.hasOwn(properties as JsonObject, name));
  if (unknown !== undefined)
    throw new Error(`@Audit names ${unknown}, which is not an argument of this method`);
  return names;
}

function handlerOf({ instance, method }: Declared): Handler {
  const handler = (instance as Record<string, Handler>)[method] as Handler;
  return handler.bind(instance);
}

function promptArguments(schema: JsonObject): JsonObject[] {
  const required = (schema.required ?? []) as string[];
  return Object.entries(schema.properties as Record<string, JsonObject>).map(([name, property]) => {
    if (property.type !== 'string') throw new Error(`the prompt argument ${name} must be a string`);
    return {
      name,
      ...(typeof property.description === 'string' && { description: property.description }),
      required: required.includes(name),
    };
  });
}

function requireName(name: string): void {
  if (!TARGET_NAME.test(name))
    throw new Error(`${JSON.stringify(name)} is not 1 to 128 characters of A-Z a-z 0-9 _ . -`);
}
