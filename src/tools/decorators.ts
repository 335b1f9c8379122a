/**
 * `@Tool`, `@Resource` and `@Prompt`: one method each, on any provider of any module. They only write typed metadata;
 * the registry reads it at boot.
 */
import 'reflect-metadata';
import { callSiteFile } from '../lib/call-site.js';
import { findDeclaringPrototype } from '../lib/find-declaring-prototype.js';

type DtoClass = new () => object;

/** Hints for clients (MCP, tool annotations). They decide nothing. */
export interface ToolAnnotations {
  readonly title?: string;
  readonly readOnlyHint?: boolean;
  readonly destructiveHint?: boolean;
  readonly idempotentHint?: boolean;
  readonly openWorldHint?: boolean;
}

export interface ToolOptions {
  /** 1 to 128 characters of `A-Z a-z 0-9 _ . -`, unique at this server. */
  readonly name: string;
  readonly title?: string;
  readonly description: string;
  readonly annotations?: ToolAnnotations;
  /** Class-validator class of the result; shown as `outputSchema` and enforced. */
  readonly output?: DtoClass;
}

interface ResourceBase {
  /** The name by which allow-lists and records know it: `resource:NAME`. */
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly mimeType?: string;
}

/** Either one `uri`, or a `uriTemplate` whose variables are whole path segments: `docs://{section}/{page}`. */
export type ResourceOptions = ResourceBase &
  (
    | { readonly uri: string; readonly uriTemplate?: never }
    | { readonly uriTemplate: string; readonly uri?: never }
  );

export interface PromptOptions {
  /** The name by which allow-lists and records know it: `prompt:NAME`. */
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

/** What a decorator said, and the file it was said in. */
export type Declaration = Declared & { readonly file: string };

const DECLARATION = Symbol('tools:declaration');

/** `method(input: InputDto, call: ToolCall)`. A string is shown as text, an object also as structured content. */
export function Tool(options: ToolOptions): MethodDecorator {
  return declare({ kind: 'tool', options });
}

/** `method(request: ResourceRequest, call: ToolCall)`. Return text, bytes, or the contents in MCP's own terms. */
export function Resource(options: ResourceOptions): MethodDecorator {
  return declare({ kind: 'resource', options });
}

/** `method(input: InputDto, call: ToolCall)`. Return a text, or the messages. */
export function Prompt(options: PromptOptions): MethodDecorator {
  return declare({ kind: 'prompt', options });
}

/** `method(value: string, call: ToolCall): string[]`: suggestions for one argument, under the rule of its prompt. */
export function PromptCompletion(options: PromptCompletionOptions): MethodDecorator {
  return declare({ kind: 'completion', options });
}

/** What is declared of a method, on the prototype that it stands on. */
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
    // On class and key, not on the function: another decorator may put a function of its own in its place.
    Reflect.defineMetadata(DECLARATION, { ...declared, file: callSiteFile() }, target, key);
  };
}
