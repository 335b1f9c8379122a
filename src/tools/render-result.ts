/** What a tool, resource or prompt returned, in MCP's terms. Pure. */
import { isToolResult } from '../core/mcp-types.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';
import {
  InputRequired,
  ToolResult,
  type Content,
  type PromptMessage,
  type ResourceContents,
} from './results.js';

/** `inputRequired` results go back to the client as a question; `result` is a result of the asked method. */
export type Rendered =
  /** `isWhole`: of another server, and looked at already: every member of it is to be kept. */
  | { readonly kind: 'result'; readonly result: JsonObject; readonly passThrough?: true }
  | { readonly kind: 'inputRequired'; readonly question: InputRequired };

/**
 * An object is shown as structured content, and as its JSON text for clients that know no other.
 * @throws Error where it cannot be written as JSON, or is no result that a client would take.
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

/** As it is written: what no client would take must not be on record as done. */
function plainResult({ content, structuredContent }: ToolResult): JsonObject {
  const written = JSON.stringify({ content, structuredContent: structuredContent ?? undefined });
  const result = JSON.parse(written) as JsonObject;
  const { structuredContent: object = {} } = result;
  const isObject = isJsonObject(object);
  if (!isObject || !isToolResult(result)) throw new Error('The tool returned no result of MCP');
  return result;
}

/** @param decisionId names the record of the call, as the `data` of a refusal does. */
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

/** At most 100 suggestions, as MCP demands. */
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
