/** Turns an HTTP request of the endpoint into an exchange, before anyone judges it. */
import { Injectable, type NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { randomUUID } from 'node:crypto';
import { AppError } from '../common/app-error.js';
import type { Exchange, GateRequest, Inbound, JsonObject, Trace } from '../common/exchange.js';
import { readBody } from '../common/body.js';
import { classify } from './classify.js';
import { toInbound } from './inbound.js';
import { RequestObserver } from '../common/request-observer.js';
import { StageClock } from '../common/stage-clock.js';
import { traceOf } from '../common/trace.js';

const CLIENT_INFO = 'io.modelcontextprotocol/clientInfo';
const MAX_CLIENT_TEXT = 200;

@Injectable()
export class FrontMiddleware implements NestMiddleware {
  constructor(private readonly observer: RequestObserver) {}

  async use(request: Request & GateRequest, response: Response, next: NextFunction): Promise<void> {
    // Nest applies a middleware once for each route that matches, and a body can be read only once.
    if (request.exchange) return next();
    const inbound = request.method === 'POST' ? await this.read(request) : onlyPost();
    const exchange = toExchange(request, inbound, (trace) => this.observer.begin(trace));
    request.exchange = exchange;
    response.once('close', () => this.observer.end(exchange, response.statusCode));
    next();
  }

  private async read(request: Request): Promise<Inbound> {
    const headers = {
      protocolVersion: request.get('mcp-protocol-version'),
      method: request.get('mcp-method'),
      name: request.get('mcp-name'),
      accept: request.get('accept'),
    };
    return toInbound(headers, await readBody(request), classify);
  }
}

/** There are no sessions to listen to or to end (MCP, streamable HTTP): everything is a POST. */
function onlyPost(): Inbound {
  const fault = new AppError('method_not_allowed', 'Only POST is served here', {
    status: 405,
    headers: { allow: 'POST' },
  });
  return { ok: false, id: null, fault };
}

function toExchange(
  request: Request,
  inbound: Inbound,
  begin: (trace: Trace | undefined) => Trace | undefined,
): Exchange {
  const params = inbound.ok ? inbound.message.params : {};
  const meta = params._meta as JsonObject | undefined;
  return {
    requestId: request.id as string,
    decisionId: randomUUID(),
    trace: begin(traceOf(meta, request.get('traceparent'))),
    clock: new StageClock(),
    ip: request.ip ?? 'unknown',
    client: clientName(meta?.[CLIENT_INFO] ?? params.clientInfo, request.get('user-agent')),
    inbound,
    audited: false,
  };
}

function clientName(info: unknown, userAgent: string | undefined): string | null {
  const { name, version } = (typeof info === 'object' && info !== null ? info : {}) as Record<
    string,
    unknown
  >;
  const text =
    typeof name === 'string' ? `${name}${typeof version === 'string' ? `/${version}` : ''}` : userAgent;
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  return text === undefined ? null : text.replace(/[\x00-\x1f\x7f]/g, '').slice(0, MAX_CLIENT_TEXT);
}
