/** One request at the steps of the gate, whichever way it came to them, and what a step is. */
import type { ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  requestContextOf,
  type RequestContext,
  type GateRequest,
  type TargetOrigin,
} from './request-context.js';
import { senderOf, type Proxies, type Sender } from './sender.js';

export interface PipelineContext {
  readonly requestContext: RequestContext;
  readonly request: IncomingMessage;
  /** Its headers may be added to; only the answer itself is written by others. */
  readonly response: ServerResponse;
  /** The request target; of an absolute one its path and query. */
  readonly target: string;
  /** What an absolute target says beside that. */
  readonly targetOrigin: TargetOrigin | undefined;
  /** Names of the query parameters. */
  readonly queryKeys: readonly string[];
  /** Whether it came over https on every hop, as this server and the proxies that are trusted say. */
  readonly secure: boolean;
  /** Whether the other end of this very connection is a proxy that `TRUST_PROXY` names. */
  readonly byProxy: boolean;
}

/** A check that every request of the endpoint passes. */
export interface PipelineStep {
  /** @throws AppError where the request goes no further. */
  handle(pipelineContext: PipelineContext): void | Promise<void>;
}

/**
 * One that finds out what hardly anybody asks when it is asked. The getters are of a class: an object with getters of its
 * own would cost a hidden class for each request, and keep what they see.
 */
export class LazyPipelineContext implements PipelineContext {
  private found: Sender | undefined = undefined;

  constructor(
    readonly requestContext: RequestContext,
    readonly request: IncomingMessage & GateRequest,
    readonly response: ServerResponse,
    readonly target: string,
    /** The request as Express sees it. */
    private readonly seen: Request,
  ) {}

  get queryKeys(): readonly string[] {
    return this.target.includes('?') ? Object.keys(this.seen.query) : [];
  }

  get targetOrigin(): TargetOrigin | undefined {
    return this.request.targetOrigin;
  }

  get secure(): boolean {
    return this.sender.secure;
  }

  get byProxy(): boolean {
    return this.sender.byProxy;
  }

  private get sender(): Sender {
    this.found ??= senderSeen(this.seen);
    return this.found;
  }
}

/** The Express setting that holds {@link Proxies}. */
export const PROXIES = 'proxies';

/** @param seen a request of an application with the setting {@link PROXIES}. */
export function senderSeen(seen: Request): Sender {
  return senderOf(seen, seen.app.get(PROXIES) as Proxies);
}

/**
 * The pipeline context of a request that came through Nest.
 * @throws Error where a guarded route was reached without passing the front: a bug, and so a denial.
 */
export function toPipelineContext(context: ExecutionContext): PipelineContext {
  const http = context.switchToHttp();
  const request = http.getRequest<Request & GateRequest>();
  const response = http.getResponse<Response>();
  return new LazyPipelineContext(requestContextOf(request), request, response, request.originalUrl, request);
}
