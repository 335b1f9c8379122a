/** Who watches requests from outside: metrics and traces. It decides nothing, and nothing waits for it. */
import type { RequestContext, Trace } from './request-context.js';

export abstract class RequestObserver {
  /**
   * A request has come.
   * @param trace as the caller says it.
   * @returns the trace that what is done for this request belongs to.
   */
  abstract begin(trace: Trace | undefined): Trace | undefined;

  /** Its answer is sent, or its caller is gone. Never throws. @param status of the answer (HTTP). */
  abstract end(requestContext: RequestContext, status: number): void;
}
