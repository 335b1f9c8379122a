/** The end of this process, as those in front of it see it: first it says that it goes, then it takes nothing new, then it is gone. */
import { Injectable } from '@nestjs/common';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const SWEEP_MS = 50;
/** Connections that carry nothing are kept for so long: what is on its way on them is still answered. */
const QUIET_MS = 500;
/** What was told to stop may say so. */
const LAST_WORD_MS = 1_000;

@Injectable()
export class Drain {
  private draining = false;
  private active = 0;
  private lastActive = 0;

  /** True from the moment on at which nobody should send anything new. */
  get isDraining(): boolean {
    return this.draining;
  }

  /** Requests that are being answered. */
  get inFlight(): number {
    return this.active;
  }

  /** Counts what the server answers; from {@link begin} on, each answer is the last of its connection. */
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
   * Ends the connections of a server that takes no new ones, each when it has nothing left to carry.
   * @param graceMs what is still being answered then is cut off.
   * @param abortRunningCalls tells the calls that still run to stop.
   * @returns how many requests were cut off.
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
