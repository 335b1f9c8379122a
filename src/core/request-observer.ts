/** Observes requests for metrics and traces. It takes no part in decisions and delays no request. */
import type { RequestContext, Trace } from './request-context.js';

export abstract class RequestObserver {
  /**
   * Start of a request.
   * @param trace trace context of the caller.
   * @returns the trace context for work on this request.
   */
  abstract begin(trace: Trace | undefined): Trace | undefined;

  /** End of a request: the response is sent or the client disconnected. Never throws. @param status HTTP status. */
  abstract end(requestContext: RequestContext, status: number): void;
}
