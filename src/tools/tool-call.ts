/** Context of a call: the second argument of a tool, resource or prompt. */
import type { Principal } from '../core/principal.js';
import type { JsonObject } from '../lib/json.js';

export type LogLevel = 'debug' | 'info' | 'notice' | 'warning' | 'error' | 'critical' | 'alert' | 'emergency';

export interface ToolCall {
  /** The verified caller. The access token is not part of it, so a tool cannot forward it. */
  readonly principal: Principal;
  /** Aborted when the client cancels or, in revision 2026-07-28, disconnects. */
  readonly signal: AbortSignal;
  /** Id of the decision that allowed this call. */
  readonly decisionId: string;
  /** `traceparent` of the request (W3C Trace Context) for requests and logs of the tool. Null without tracing. */
  readonly traceparent: string | null;
  /** Sends progress to a client that requested it. Never rejects. */
  progress(progress: number, total?: number, message?: string): Promise<void>;
  /** Sends a log message to a client that requested this level. Never rejects. */
  log(level: LogLevel, data: unknown): Promise<void>;
  /** Capabilities that the client claims. */
  readonly clientCapabilities: JsonObject;
  /** Responses to an earlier {@link InputRequired}. Untrusted input. */
  readonly inputResponses: Readonly<Record<string, unknown>>;
  /** `requestState` of that {@link InputRequired}; verified to belong to this caller and call. */
  readonly requestState: unknown;
}
