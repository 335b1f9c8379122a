/** Creates the request context of the MCP endpoint, the administration API and the signals receiver. */
import { Injectable } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CONTRADICTION, singleValue } from '../core/header-values.js';
import { newRequestContext, type ParsedRequest, type RequestContext } from '../core/request-context.js';
import { RequestObserver } from '../core/request-observer.js';
import { RequestTimings } from '../core/request-timings.js';
import { traceOf } from '../core/trace.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';

const MAX_CLIENT_TEXT = 200;

/** Members of a message that take precedence over headers. */
export interface MessageFacts {
  /** May contain `traceparent`. */
  readonly meta?: JsonObject | undefined;
  /** `Implementation` of MCP: the client software. */
  readonly clientInfo?: unknown;
}

@Injectable()
export class RequestContextFactory {
  constructor(private readonly observer: RequestObserver) {}

  /** Registers the observer for the end of the request. @param ip address of the client. */
  create(
    request: IncomingMessage,
    response: ServerResponse,
    ip: string,
    parsed: ParsedRequest,
    { meta, clientInfo }: MessageFacts = {},
  ): RequestContext {
    const traceparent = singleValue(request, 'traceparent');
    const requestContext = newRequestContext({
      requestId: request.id as string,
      trace: this.observer.begin(traceOf(meta, traceparent === CONTRADICTION ? undefined : traceparent)),
      clock: new RequestTimings(),
      ip,
      client: clientName(clientInfo, request.headers['user-agent']),
      parsed,
    });
    response.once('close', () => this.observer.end(requestContext, response.statusCode));
    return requestContext;
  }
}

function clientName(info: unknown, userAgent: string | undefined): string | null {
  const { name, version } = (isJsonObject(info) ? info : {}) as JsonObject;
  const text =
    typeof name === 'string' ? `${name}${typeof version === 'string' ? `/${version}` : ''}` : userAgent;
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  return text === undefined ? null : text.replace(/[\x00-\x1f\x7f]/g, '').slice(0, MAX_CLIENT_TEXT);
}
