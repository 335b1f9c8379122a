/**
 * Calls that are running here, so that a cancellation which comes as a message of its own can find its call. That is how
 * clients up to revision 2025-11-25 cancel; without sessions, and so with a call that runs at this very instance.
 */
import { UnorderedCollection } from '../lib/unordered-collection.js';
import type { RequestId } from '../core/request-context.js';
import { principalKey, type Principal } from '../core/principal.js';

interface Call {
  readonly principal: Principal;
  readonly id: RequestId | null;
  readonly cancellation: AbortController;
}

export class InFlightCalls {
  private readonly calls = new UnorderedCollection<Call>();

  /** @returns what to call when the call is over. */
  add(principal: Principal, id: RequestId | null, cancellation: AbortController): () => void {
    return this.calls.add({ principal, id, cancellation });
  }

  /** Cancels every call of those whom this is true of. */
  cancelAll(isOf: (principal: Principal) => boolean, reason?: unknown): void {
    for (const { principal, cancellation } of this.calls.items())
      if (isOf(principal)) cancellation.abort(reason);
  }

  /** Cancels the one call that this can mean. Two processes of one client may use one id: then none is cancelled. */
  cancel(principal: Principal, id: unknown): void {
    if (typeof id !== 'string' && typeof id !== 'number') return;
    const key = principalKey(principal);
    const candidates = this.calls
      .items()
      .filter((call) => call.id === id && principalKey(call.principal) === key);
    if (candidates.length === 1) candidates[0]?.cancellation.abort();
  }
}
