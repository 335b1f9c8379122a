/** `@Tool`, `@Resource` and `@Prompt` store typed metadata of one method. The registry reads it at startup. */
import 'reflect-metadata';
import { callSiteFile } from '../lib/call-site.js';
import { findDeclaringPrototype } from '../lib/find-declaring-prototype.js';

type DtoClass = new () => object;

/** Hints for clients (MCP, tool annotations). They take no part in decisions. */
export interface ToolAnnotations {
  readonly title?: string;
  readonly readOnlyHint?: boolean;
  readonly destructiveHint?: boolean;
  readonly idempotentHint?: boolean;
  readonly openWorldHint?: boolean;
}

export interface ToolOptions {
  /** 1 to 128 characters of `A-Z a-z 0-9 _ . -`, unique on this server. */
  readonly name: string;
  readonly title?: string;
  readonly description: string;
  readonly annotations?: ToolAnnotations;
  /** Class-validator class of the result. Shown as `outputSchema`; a result that differs is a failure of the tool. */
  readonly output?: DtoClass;
}

interface ResourceBase {
  /** Allow-lists and records contain `resource:NAME`. */
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly mimeType?: string;
}

/** One `uri`, or a `uriTemplate` whose variables are whole path segments: `docs://{section}/{page}`. */
export type ResourceOptions = ResourceBase &
  (
    | { readonly uri: string; readonly uriTemplate?: never }
    | { readonly uriTemplate: string; readonly uri?: never }
  );

export interface PromptOptions {
  /** Allow-lists and records contain `prompt:NAME`. */
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
}

export interface PromptCompletionOptions {
  readonly prompt: string;
  readonly argument: string;
}

type Declared =
  | { readonly kind: 'tool'; readonly options: ToolOptions }
  | { readonly kind: 'resource'; readonly options: ResourceOptions }
  | { readonly kind: 'prompt'; readonly options: PromptOptions }
  | { readonly kind: 'completion'; readonly options: PromptCompletionOptions };

/** The options of a decorator and the file of its declaration. */
export type Declaration = Declared & { readonly file: string };

const DECLARATION = Symbol('tools:declaration');

/** `method(input: InputDto, call: ToolCall)`. A string becomes text; an object becomes text and structured content. */
export function Tool(options: ToolOptions): MethodDecorator {
  return declare({ kind: 'tool', options });
}

/** `method(request: ResourceRequest, call: ToolCall)`. Returns text, bytes, or `ResourceContents`. */
export function Resource(options: ResourceOptions): MethodDecorator {
  return declare({ kind: 'resource', options });
}

/** `method(input: InputDto, call: ToolCall)`. Returns a text or `PromptMessage` items. */
export function Prompt(options: PromptOptions): MethodDecorator {
  return declare({ kind: 'prompt', options });
}

/**
 * `method(value: string, call: ToolCall): string[]` suggests values of one argument. The access rule of the prompt
 * applies.
 */
export function PromptCompletion(options: PromptCompletionOptions): MethodDecorator {
  return declare({ kind: 'completion', options });
}

/** Declaration of a method, from the prototype that defines it. */
export function readDeclaration(prototype: object, method: string): Declaration | undefined {
  const owner = findDeclaringPrototype(prototype, method);
  return owner && (Reflect.getOwnMetadata(DECLARATION, owner, method) as Declaration | undefined);
}

function declare(declared: Declared): MethodDecorator {
  return (target, key, descriptor: PropertyDescriptor) => {
    const at = `${target.constructor.name}.${String(key)} (${callSiteFile()})`;
    if (typeof descriptor.value !== 'function') throw new Error(`@${declared.kind} on ${at}: not a method`);
    if (Reflect.hasOwnMetadata(DECLARATION, target, key)) {
      throw new Error(`${at} is declared twice as a tool, resource or prompt`);
    }
    // Stored on class and key: another decorator may replace the function itself.
    Reflect.defineMetadata(DECLARATION, { ...declared, file: callSiteFile() }, target, key);
  };
}
