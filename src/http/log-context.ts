/** Which request a tool works for, so that the lines that it logs can be found by that request. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';

export class LogContext {
  private readonly requests = new AsyncLocalStorage<IncomingMessage>();

  /** What this act logs, now or later, belongs to this request. */
  run<T>(request: IncomingMessage, act: () => T): T {
    return this.requests.run(request, act);
  }

  /** What a line has beside what it says; its own members win. */
  bindings(): object {
    const req = this.requests.getStore();
    return req ? { req } : {};
  }
}
