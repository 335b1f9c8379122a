/** Definitions in the registry: the list entry that clients see and the handler. */
import type { SubjectToken } from '../core/subject-token.js';
import type { JsonObject } from '../lib/json.js';
import type { ProtectedTarget } from '../policy/access-rule.js';
import type { DtoClass } from './dto-schema.js';
import type { ToolCall } from './tool-call.js';
import type { UriMatcher } from './uri-template.js';

export type Handler = (input: unknown, call: ToolCall) => unknown;

interface Definition<Kind extends ProtectedTarget['kind']> extends ProtectedTarget {
  readonly kind: Kind;
  /** Entry in the list of this kind, computed once. */
  readonly entry: JsonObject;
  readonly run: Handler;
}

export interface ToolDefinition extends Definition<'tool'> {
  readonly input: DtoClass | undefined;
  readonly output: DtoClass | undefined;
}

/** A tool of an upstream. Its arguments and results pass unchanged. */
export interface MountedToolDefinition extends ProtectedTarget {
  readonly kind: 'tool';
  readonly entry: JsonObject;
  /** Notes for the operator: differences from the definition of the upstream, and parts that clients may reject. */
  readonly remarks: readonly string[];
  /**
   * @returns the tool result of the upstream.
   * @throws ToolError for an error of the caller; ToolUnavailable if the upstream is unavailable.
   */
  readonly relay: (args: JsonObject, call: ToolCall, token: SubjectToken | undefined) => Promise<JsonObject>;
}

export interface PromptDefinition extends Definition<'prompt'> {
  readonly input: DtoClass | undefined;
  readonly completions: ReadonlyMap<string, (value: string, call: ToolCall) => unknown>;
}

export interface ResourceDefinition extends Definition<'resource'> {
  /** The URI of a fixed resource, or the matcher of a template. */
  readonly at: { readonly uri: string } | { readonly uriTemplate: string; readonly matcher: UriMatcher };
  readonly mimeType: string | undefined;
}

/** Input of the method of a resource. */
export interface ResourceRequest {
  readonly uri: string;
  /** Decoded variables of the template; empty for a fixed URI. Untrusted input. */
  readonly variables: Readonly<Record<string, string>>;
}
