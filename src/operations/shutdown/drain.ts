/** Drains this process: readiness off, no new connections, end. */
import { Injectable } from '@nestjs/common';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const SWEEP_MS = 50;
/** Idle time before a connection closes: requests in transit are still answered. */
const QUIET_MS = 500;
/** Time for aborted calls to answer. */
const LAST_WORD_MS = 1_000;

@Injectable()
export class Drain {
  private draining = false;
  private active = 0;
  private lastActive = 0;

  /** True after the start of the drain. */
  get isDraining(): boolean {
    return this.draining;
  }

  /** Number of requests in progress. */
  get inFlight(): number {
    return this.active;
  }

  /** Counts requests in progress. After {@link begin} each response closes its connection. */
  watch(server: Server): void {
    server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
      this.active += 1;
      if (this.draining) response.shouldKeepAlive = false;
      response.once('close', () => {
        this.active -= 1;
        this.lastActive = performance.now();
      });
    });
  }

  begin(): void {
    this.draining = true;
    this.lastActive = performance.now();
  }

  /**
   * Closes the connections of a server that no longer accepts, each when idle.
   * @param graceMs time limit for requests in progress.
   * @param abortRunningCalls aborts the remaining calls.
   * @returns the number of aborted requests.
   */
  async finish(server: Server, graceMs: number, abortRunningCalls: () => void): Promise<number> {
    const until = performance.now() + graceMs;
    const left = await this.settled(server, until);
    if (left > 0) {
      abortRunningCalls();
      await this.settled(server, performance.now() + LAST_WORD_MS);
    }
    server.closeAllConnections();
    return left;
  }

  private async settled(server: Server, until: number): Promise<number> {
    while (performance.now() < until) {
      const isQuiet = this.active === 0 && performance.now() - this.lastActive > QUIET_MS;
      if (isQuiet || (await connectionsOf(server)) === 0) return 0;
      server.closeIdleConnections();
      await pause(SWEEP_MS);
    }
    return this.active;
  }
}

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((error, count) => resolve(error ? 0 : count)));
}
