/** Return values of tools, resources and prompts, and the errors with a public message. */
import type { JsonObject } from '../lib/json.js';
export type Content =
  | { type: 'text'; text: string; [more: string]: unknown }
  | { type: 'image' | 'audio'; data: string; mimeType: string; [more: string]: unknown }
  | { type: 'resource'; resource: ResourceContents; [more: string]: unknown }
  | { type: 'resource_link'; uri: string; name: string; [more: string]: unknown };

export interface ResourceContents {
  readonly uri: string;
  readonly mimeType?: string;
  readonly text?: string;
  /** Base64. */
  readonly blob?: string;
}

export interface PromptMessage {
  readonly role: 'user' | 'assistant';
  readonly content: Content;
}

/** A complete MCP result, for a tool that returns more than one value. */
export class ToolResult {
  constructor(
    readonly content: readonly Content[],
    readonly structuredContent?: JsonObject,
  ) {}
}

/** Asks the client for input (MCP 2026-07-28, multi round-trip requests). Requires a client of that revision. */
export class InputRequired {
  /**
   * @param inputRequests by keys of the tool: `{ method: 'elicitation/create', params }` and others.
   * @param requestState JSON for the next round; sealed, bound to this caller and call, valid for 10 minutes.
   */
  constructor(
    readonly inputRequests?: Readonly<
      Record<string, { readonly method: string; readonly params?: JsonObject }>
    >,
    readonly requestState?: unknown,
  ) {}
}

/** The tool is unavailable. The caller sees the message; the record has the status `failed`. */
export class ToolUnavailable extends Error {
  constructor(publicMessage: string, options?: ErrorOptions) {
    super(publicMessage, options);
    this.name = 'ToolUnavailable';
  }
}

/**
 * A failure with a public message. For other errors than this and {@link ToolUnavailable} clients see a reference
 * only.
 */
export class ToolError extends Error {
  constructor(publicMessage: string, options?: ErrorOptions) {
    super(publicMessage, options);
    this.name = 'ToolError';
  }
}
