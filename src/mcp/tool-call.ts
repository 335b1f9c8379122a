/** Creates the call context of a tool on both paths. */
import { CLIENT_CAPABILITIES_META_KEY } from '../core/mcp-types.js';
import type { AuthorizedRequest } from '../core/request-context.js';
import type { JsonObject } from '../lib/json.js';
import type { ToolCall } from '../tools/tool-call.js';

/** Members that differ between the paths. */
export type CallChannel = Pick<ToolCall, 'inputResponses' | 'requestState' | 'progress' | 'log'>;

export function toToolCall(
  { principal, decisionId, trace, parsed: { message } }: AuthorizedRequest,
  signal: AbortSignal,
  { inputResponses, requestState, progress, log }: CallChannel,
): ToolCall {
  // Older revisions declare capabilities per session, which does not exist.
  const meta = message.era === 'modern' ? (message.params._meta as JsonObject | undefined) : undefined;
  return {
    principal,
    signal,
    decisionId,
    traceparent: trace?.traceparent ?? null,
    clientCapabilities: (meta?.[CLIENT_CAPABILITIES_META_KEY] ?? {}) as JsonObject,
    inputResponses,
    requestState,
    progress,
    log,
  };
}
