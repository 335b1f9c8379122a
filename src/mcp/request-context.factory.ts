/** Turns an HTTP request of the endpoint into a request context, before anyone judges it. */
import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../core/app-error.js';
import { readBody } from '../http/read-body.js';
import type { RequestContext, ParsedRequest } from '../core/request-context.js';
import { CONTRADICTION, singleValue, withoutRepeats } from '../core/header-values.js';
import { RequestObserver } from '../core/request-observer.js';
import { RequestTimings } from '../core/request-timings.js';
import { traceOf } from '../core/trace.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';
import { classify } from './classify.js';
import { toParsedRequest, type McpHeaders } from './parse-request.js';
import { CLIENT_INFO_META_KEY } from '../core/mcp-types.js';

const MAX_CLIENT_TEXT = 200;

/** What is known of a request before it is read. */
export interface RequestMeta {
  /** Names this request in logs and records. */
  readonly requestId: string;
  readonly ip: string;
}

@Injectable()
export class RequestContextFactory {
  constructor(private readonly observer: RequestObserver) {}

  /** Reads the request, whatever there is to read. Its end is told to whoever watches. */
  async create(
    request: IncomingMessage,
    response: ServerResponse,
    named: RequestMeta,
  ): Promise<RequestContext> {
    const parsed = request.method === 'POST' ? await read(request) : onlyPost();
    const requestContext = this.buildContext(request, parsed, named);
    response.once('close', () => this.observer.end(requestContext, response.statusCode));
    return requestContext;
  }

  private buildContext(
    request: IncomingMessage,
    parsed: ParsedRequest,
    { requestId, ip }: RequestMeta,
  ): RequestContext {
    const traceparent = singleValue(request, 'traceparent');
    const params = parsed.ok ? parsed.message.params : {};
    const meta = params._meta as JsonObject | undefined;
    return {
      requestId,
      decisionId: randomUUID(),
      trace: this.observer.begin(traceOf(meta, traceparent === CONTRADICTION ? undefined : traceparent)),
      clock: new RequestTimings(),
      ip,
      client: clientName(meta?.[CLIENT_INFO_META_KEY] ?? params.clientInfo, request.headers['user-agent']),
      parsed,
      audited: false,
    };
  }
}

async function read(request: IncomingMessage): Promise<ParsedRequest> {
  return toParsedRequest(mcpHeadersOf(request), await readBody(request), classify);
}

function mcpHeadersOf(request: IncomingMessage): McpHeaders {
  const protocolVersion = singleValue(request, 'mcp-protocol-version');
  const method = singleValue(request, 'mcp-method');
  const name = singleValue(request, 'mcp-name');
  const { accept } = request.headers;
  if (protocolVersion === CONTRADICTION) return contradictory('MCP-Protocol-Version', accept);
  if (method === CONTRADICTION) return contradictory('Mcp-Method', accept);
  if (name === CONTRADICTION) return contradictory('Mcp-Name', accept);
  return {
    protocolVersion: protocolVersion && withoutRepeats(protocolVersion),
    method: method && withoutRepeats(method),
    name,
    accept,
  };
}

function contradictory(header: string, accept: string | undefined): McpHeaders {
  return { protocolVersion: undefined, method: undefined, name: undefined, accept, contradictory: header };
}

/** There are no sessions to listen to or to end (MCP, streamable HTTP): everything is a POST. */
function onlyPost(): ParsedRequest {
  const fault = new AppError('method_not_allowed', 'Only POST is served here', {
    status: 405,
    headers: { allow: 'POST' },
  });
  return { ok: false, id: null, fault };
}

function clientName(info: unknown, userAgent: string | undefined): string | null {
  const { name, version } = (isJsonObject(info) ? info : {}) as JsonObject;
  const text =
    typeof name === 'string' ? `${name}${typeof version === 'string' ? `/${version}` : ''}` : userAgent;
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out
  return text === undefined ? null : text.replace(/[\x00-\x1f\x7f]/g, '').slice(0, MAX_CLIENT_TEXT);
}
