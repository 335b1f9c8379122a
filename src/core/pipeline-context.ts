/** Context of one request in the pipeline, independent of its path through the server, and the interface of a step. */
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
  /** Steps may add headers; only the responder writes the body. */
  readonly response: ServerResponse;
  /** Request target; of an absolute target the path and query. */
  readonly target: string;
  /** Scheme and authority of an absolute target. */
  readonly targetOrigin: TargetOrigin | undefined;
  /** Names of the query parameters. */
  readonly queryKeys: readonly string[];
  /** True if every hop used https, as reported by this server and the trusted proxies. */
  readonly secure: boolean;
  /** True if the peer of this connection is a proxy of `TRUST_PROXY`. */
  readonly byProxy: boolean;
}

/** One check of every request to the endpoint. */
export interface PipelineStep {
  /** @throws AppError to deny the request. */
  handle(pipelineContext: PipelineContext): void | Promise<void>;
}

/** Computes rarely used members on demand. Class getters avoid a hidden class and retained closures per request. */
export class LazyPipelineContext implements PipelineContext {
  private found: Sender | undefined = undefined;

  constructor(
    readonly requestContext: RequestContext,
    readonly request: IncomingMessage & GateRequest,
    readonly response: ServerResponse,
    readonly target: string,
    /** The request as Express presents it. */
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

/** Express setting that holds {@link Proxies}. */
export const PROXIES = 'proxies';

/** @param seen request of an application with the setting {@link PROXIES}. */
export function senderSeen(seen: Request): Sender {
  return senderOf(seen, seen.app.get(PROXIES) as Proxies);
}

/**
 * Pipeline context of a Nest request.
 * @throws Error if the request context is missing: the request is denied.
 */
export function toPipelineContext(context: ExecutionContext): PipelineContext {
  const http = context.switchToHttp();
  const request = http.getRequest<Request & GateRequest>();
  const response = http.getResponse<Response>();
  return new LazyPipelineContext(requestContextOf(request), request, response, request.originalUrl, request);
}
