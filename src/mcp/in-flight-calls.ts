/**
 * Calls that are running here, so that a cancellation which comes as a message of its own can find its call. That is how
 * clients up to revision 2025-11-25 cancel; without sessions, and so with a call that runs at this very instance.
 */
import type { RequestId } from '../common/exchange.js';
import { principalKey, type Principal } from '../common/principal.js';

export class InFlightCalls {
  private readonly calls = new Map<string, Set<AbortController>>();
  private readonly callers = new Map<AbortController, Principal>();

  /** @returns what to call when the call is over. */
  add(principal: Principal, id: RequestId | null, cancellation: AbortController): () => void {
    const key = keyOf(principal, id);
    const sameId = this.calls.get(key) ?? new Set();
    this.calls.set(key, sameId.add(cancellation));
    this.callers.set(cancellation, principal);
    return () => {
      sameId.delete(cancellation);
      this.callers.delete(cancellation);
      if (sameId.size === 0) this.calls.delete(key);
    };
  }

  /** Cancels every call of those whom this is true of. */
  cancelAll(isOf: (principal: Principal) => boolean, reason?: unknown): void {
    for (const [cancellation, principal] of this.callers) if (isOf(principal)) cancellation.abort(reason);
  }

  /** Cancels the one call that this can mean. Two processes of one client may use one id: then none is cancelled. */
  cancel(principal: Principal, id: unknown): void {
    if (typeof id !== 'string' && typeof id !== 'number') return;
    const candidates = [...(this.calls.get(keyOf(principal, id)) ?? [])];
    if (candidates.length === 1) candidates[0]?.abort();
  }
}

function keyOf(principal: Principal, id: RequestId | null): string {
  return JSON.stringify([principalKey(principal), id]);
}
