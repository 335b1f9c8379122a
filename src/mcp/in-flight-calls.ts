/**
 * Running calls, for cancellation by message. Clients up to revision 2025-11-25 cancel so; without sessions it
 * reaches calls of this instance only.
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

  /** @returns a function for the end of the call. */
  add(principal: Principal, id: RequestId | null, cancellation: AbortController): () => void {
    return this.calls.add({ principal, id, cancellation });
  }

  /** Cancels all calls of matching principals. */
  cancelAll(isOf: (principal: Principal) => boolean, reason?: unknown): void {
    for (const { principal, cancellation } of this.calls.items())
      if (isOf(principal)) cancellation.abort(reason);
  }

  /** Cancels the only matching call. Two processes of one client may use the same id: then no call is cancelled. */
  cancel(principal: Principal, id: unknown): void {
    if (typeof id !== 'string' && typeof id !== 'number') return;
    const key = principalKey(principal);
    const candidates = this.calls
      .items()
      .filter((call) => call.id === id && principalKey(call.principal) === key);
    if (candidates.length === 1) candidates[0]?.cancellation.abort();
  }
}
