/** What a tool, a resource or a prompt may return beside plain values, and the error that speaks to the caller. */
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

/** A result in MCP's own terms, for a tool whose answer is more than a value. */
export class ToolResult {
  constructor(
    readonly content: readonly Content[],
    readonly structuredContent?: JsonObject,
  ) {}
}

/** A question back to the client (MCP 2026-07-28, multi round-trip requests); only for clients of that revision. */
export class InputRequired {
  /**
   * @param inputRequests by a key of the tool's choice: `{ method: 'elicitation/create', params }` and the like.
   * @param requestState anything JSON that the next round needs; sealed, bound to this caller and call, valid 10 minutes.
   */
  constructor(
    readonly inputRequests?: Readonly<
      Record<string, { readonly method: string; readonly params?: JsonObject }>
    >,
    readonly requestState?: unknown,
  ) {}
}

/** The tool cannot be had, whatever the arguments: in words that are meant for the caller, and on record as a failure. */
export class ToolUnavailable extends Error {
  constructor(publicMessage: string, options?: ErrorOptions) {
    super(publicMessage, options);
    this.name = 'ToolUnavailable';
  }
}

/** A failure whose message is meant for the caller. Apart from it and {@link ToolUnavailable}, clients see a reference only. */
export class ToolError extends Error {
  constructor(publicMessage: string, options?: ErrorOptions) {
    super(publicMessage, options);
    this.name = 'ToolError';
  }
}
