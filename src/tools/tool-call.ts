/** What a tool, a resource or a prompt is given beside its input. */
import type { Principal } from '../core/principal.js';
import type { JsonObject } from '../lib/json.js';

export type LogLevel = 'debug' | 'info' | 'notice' | 'warning' | 'error' | 'critical' | 'alert' | 'emergency';

export interface ToolCall {
  /** Who asks. Verified; the token itself is not here, so no tool can pass it on. */
  readonly principal: Principal;
  /** Aborted when the client cancels, or (revision 2026-07-28) goes away. */
  readonly signal: AbortSignal;
  /** Names the record of the decision that allowed this call. */
  readonly decisionId: string;
  /** `traceparent` of the request (W3C Trace Context), for the tool's own requests and logs; null where it has none. */
  readonly traceparent: string | null;
  /** Tells the client how far the work is, where it asked to be told; otherwise does nothing. Never rejects. */
  progress(progress: number, total?: number, message?: string): Promise<void>;
  /** Sends a log message to the client, where it asked for that level; otherwise does nothing. Never rejects: what cannot be told is not. */
  log(level: LogLevel, data: unknown): Promise<void>;
  /** What the client says that it can do. Its own claim. */
  readonly clientCapabilities: JsonObject;
  /** Answers to the questions of an earlier {@link InputRequired}. From the client: untrusted. */
  readonly inputResponses: Readonly<Record<string, unknown>>;
  /** The `requestState` of that {@link InputRequired}, proven to be the one given to this caller for this call. */
  readonly requestState: unknown;
}
