/** Converts the return value of a tool, resource or prompt to an MCP result. Pure. */
import { isToolResult } from '../core/mcp-types.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';
import {
  InputRequired,
  ToolResult,
  type Content,
  type PromptMessage,
  type ResourceContents,
} from './results.js';

/** `inputRequired` asks the client for input; `result` is the result of the requested method. */
export type Rendered =
  /** `passThrough`: a checked result of an upstream, sent with all of its members. */
  | { readonly kind: 'result'; readonly result: JsonObject; readonly passThrough?: true }
  | { readonly kind: 'inputRequired'; readonly question: InputRequired };

/**
 * An object becomes structured content, and JSON text for clients without structured content.
 * @throws Error if the value has no JSON form, or is not a valid MCP result.
 */
export function renderToolResult(value: unknown): Rendered {
  if (value instanceof InputRequired) return { kind: 'inputRequired', question: value };
  if (value instanceof ToolResult) return { kind: 'result', result: plainResult(value) };
  if (value === undefined) return { kind: 'result', result: { content: [] } };
  if (typeof value === 'string') return { kind: 'result', result: { content: [text(value)] } };
  const json = JSON.stringify(value);
  const plain: unknown = JSON.parse(json);
  const structured = isJsonObject(plain);
  return {
    kind: 'result',
    result: { content: [text(json)], ...(structured && { structuredContent: plain }) },
  };
}

/** Validated before the outcome is recorded: an invalid result must not be recorded as `ok`. */
function plainResult({ content, structuredContent }: ToolResult): JsonObject {
  const written = JSON.stringify({ content, structuredContent: structuredContent ?? undefined });
  const result = JSON.parse(written) as JsonObject;
  const { structuredContent: object = {} } = result;
  const isObject = isJsonObject(object);
  if (!isObject || !isToolResult(result)) throw new Error('The result of the tool is not a valid MCP result');
  return result;
}

/** @param decisionId id of the decision, as in the `data` of a denial. */
export function renderToolFailure(message: string, decisionId: string): JsonObject {
  return { content: [text(message)], isError: true, _meta: { decision_id: decisionId } };
}

export function renderResource(value: unknown, uri: string, mimeType: string | undefined): Rendered {
  if (value instanceof InputRequired) return { kind: 'inputRequired', question: value };
  return { kind: 'result', result: { contents: contentsOf(value, uri, mimeType) } };
}

export function renderPrompt(value: unknown, description: unknown): Rendered {
  if (value instanceof InputRequired) return { kind: 'inputRequired', question: value };
  const messages =
    typeof value === 'string' ? [{ role: 'user', content: text(value) }] : (value as PromptMessage[]);
  return { kind: 'result', result: { ...(description !== undefined && { description }), messages } };
}

/** At most 100 suggestions (MCP, completion/complete). */
export function renderCompletion(values: unknown): JsonObject {
  const all = Array.isArray(values) ? values.filter((value) => typeof value === 'string') : [];
  return { completion: { values: all.slice(0, 100), total: all.length, hasMore: all.length > 100 } };
}

function contentsOf(value: unknown, uri: string, mimeType: string | undefined): ResourceContents[] {
  const type = mimeType === undefined ? {} : { mimeType };
  if (value instanceof Uint8Array) return [{ uri, ...type, blob: Buffer.from(value).toString('base64') }];
  if (typeof value === 'string') return [{ uri, ...type, text: value }];
  if (Array.isArray(value)) return value as ResourceContents[];
  return [{ uri, ...type, text: JSON.stringify(value) }];
}

function text(value: string): Content {
  return { type: 'text', text: value };
}
