/** Adds the request id to log lines of tools. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';

export class LogContext {
  private readonly requests = new AsyncLocalStorage<IncomingMessage>();

  /** Log lines of `act`, also later ones, belong to this request. */
  run<T>(request: IncomingMessage, act: () => T): T {
    return this.requests.run(request, act);
  }

  /** Additional members of a line. Members of the line take precedence. */
  bindings(): object {
    const req = this.requests.getStore();
    return req ? { req } : {};
  }
}
