/** Creates the request context of administration requests, for the same guards and audit records. */
import { Injectable, type NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { GateRequest, ParsedRequest } from '../../core/request-context.js';
import { RequestContextFactory } from '../../http/request-context.factory.js';
import { readBody } from '../../http/read-body.js';
import { senderSeen } from '../../core/pipeline-context.js';

/** Action of each method in records. */
const NAMES: Readonly<Record<string, string>> = { GET: 'list', POST: 'revoke', DELETE: 'withdraw' };

@Injectable()
export class AdminContextMiddleware implements NestMiddleware {
  constructor(private readonly contexts: RequestContextFactory) {}

  async use(request: Request & GateRequest, response: Response, next: NextFunction): Promise<void> {
    if (request.requestContext) return next();
    const parsed = await this.parsed(request);
    request.requestContext = this.contexts.create(request, response, senderSeen(request).ip, parsed);
    next();
  }

  private async parsed(request: Request): Promise<ParsedRequest> {
    const body = request.method === 'POST' ? await readBody(request) : ({ ok: true, value: {} } as const);
    if (!body.ok) return { ok: false, id: null, fault: body.fault };
    const params = request.method === 'DELETE' ? { id: request.path.split('/').at(-1) } : body.value;
    const method = NAMES[request.method] ?? request.method;
    return { ok: true, id: null, message: { id: null, method, params, era: 'modern', body: body.value } };
  }
}
