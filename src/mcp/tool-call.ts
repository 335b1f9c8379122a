/** The call that a tool gets, on either path. */
import { CLIENT_CAPABILITIES_META_KEY } from '../core/mcp-types.js';
import type { AuthorizedRequest } from '../core/request-context.js';
import type { JsonObject } from '../lib/json.js';
import type { ToolCall } from '../tools/tool-call.js';

/** The part of a call that the two paths take from different places. */
export type CallChannel = Pick<ToolCall, 'inputResponses' | 'requestState' | 'progress' | 'log'>;

export function toToolCall(
  { principal, decisionId, trace, parsed: { message } }: AuthorizedRequest,
  signal: AbortSignal,
  { inputResponses, requestState, progress, log }: CallChannel,
): ToolCall {
  // Older revisions declare capabilities once for a session, and there are none.
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
