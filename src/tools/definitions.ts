/** What the registry knows of each tool, resource and prompt: the entry shown to clients, and how to run it. */
import type { SubjectToken } from '../core/subject-token.js';
import type { JsonObject } from '../lib/json.js';
import type { ProtectedTarget } from '../policy/access-rule.js';
import type { DtoClass } from './dto-schema.js';
import type { ToolCall } from './tool-call.js';
import type { UriMatcher } from './uri-template.js';

export type Handler = (input: unknown, call: ToolCall) => unknown;

interface Definition<Kind extends ProtectedTarget['kind']> extends ProtectedTarget {
  readonly kind: Kind;
  /** The entry of this kind's list, computed once. */
  readonly entry: JsonObject;
  readonly run: Handler;
}

export interface ToolDefinition extends Definition<'tool'> {
  readonly input: DtoClass | undefined;
  readonly output: DtoClass | undefined;
}

/** A tool of another server: its arguments and its answer go through as they are. */
export interface MountedToolDefinition extends ProtectedTarget {
  readonly kind: 'tool';
  readonly entry: JsonObject;
  /** For the operator: how its entry differs from the definition that the other server sent, and what clients may refuse. */
  readonly remarks: readonly string[];
  /**
   * @returns a tool result in MCP's terms, as the other server gave it.
   * @throws ToolError for what the caller did wrong; ToolUnavailable where it cannot be had.
   */
  readonly relay: (args: JsonObject, call: ToolCall, token: SubjectToken | undefined) => Promise<JsonObject>;
}

export interface PromptDefinition extends Definition<'prompt'> {
  readonly input: DtoClass | undefined;
  readonly completions: ReadonlyMap<string, (value: string, call: ToolCall) => unknown>;
}

export interface ResourceDefinition extends Definition<'resource'> {
  /** Fixed: its one URI. Template: how to recognize its URIs. */
  readonly at: { readonly uri: string } | { readonly uriTemplate: string; readonly matcher: UriMatcher };
  readonly mimeType: string | undefined;
}

/** What a resource's method is given as its input. */
export interface ResourceRequest {
  readonly uri: string;
  /** Of the template, decoded; empty for a fixed URI. From the client: untrusted. */
  readonly variables: Readonly<Record<string, string>>;
}
