/** One request at the steps of the gate, whichever way it came to them, and what a step is. */
import type { ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { exchangeOf, type Exchange, type GateRequest } from './exchange.js';

export interface Passage {
  readonly exchange: Exchange;
  readonly request: IncomingMessage;
  /** Its headers may be added to; only the answer itself is written by others. */
  readonly response: ServerResponse;
  /** The request target, as it was sent. */
  readonly target: string;
  /** Names of the query parameters. */
  readonly queryKeys: readonly string[];
  /** Whether it came over https, as this server or a proxy that is trusted says. */
  readonly secure: boolean;
  /** Whether the other end of this very connection is a proxy that `TRUST_PROXY` names. */
  readonly byProxy: boolean;
}

/** A check that every request of the endpoint passes. */
export interface GateStep {
  /** @throws AppError where the request goes no further. */
  pass(passage: Passage): void | Promise<void>;
}

/**
 * One that finds out what hardly anybody asks when it is asked. The getters are of a class: an object with getters of its
 * own would cost a hidden class for each request, and keep what they see.
 */
export class LazyPassage implements Passage {
  constructor(
    readonly exchange: Exchange,
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly target: string,
    /** The request as Express sees it. */
    private readonly seen: Request,
  ) {}

  get queryKeys(): readonly string[] {
    return this.target.includes('?') ? Object.keys(this.seen.query) : [];
  }

  get secure(): boolean {
    return this.seen.secure;
  }

  get byProxy(): boolean {
    const { app, socket } = this.seen;
    // What the setting `trust proxy` says of the other end of this connection.
    const isTrusted = app.get('trust proxy fn') as (address: string, hop: number) => boolean;
    return socket.remoteAddress !== undefined && isTrusted(socket.remoteAddress, 0);
  }
}

/**
 * The passage of a request that came through Nest.
 * @throws Error where a guarded route was reached without passing the front: a bug, and so a denial.
 */
export function passageOf(context: ExecutionContext): Passage {
  const http = context.switchToHttp();
  const request = http.getRequest<Request & GateRequest>();
  const response = http.getResponse<Response>();
  return new LazyPassage(exchangeOf(request), request, response, request.originalUrl, request);
}
