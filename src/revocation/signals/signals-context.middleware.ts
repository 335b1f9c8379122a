/** Creates the request context of a delivery, for the Host check and audit records. */
import { Injectable, type NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { RequestContextFactory } from '../../http/request-context.factory.js';
import { readBytes } from '../../http/read-body.js';
import type { GateRequest, ParsedRequest } from '../../core/request-context.js';
import { senderSeen } from '../../core/pipeline-context.js';
import { invalidSetError } from './set-errors.js';

/** A token with one event has some hundred bytes. */
const MAX_BYTES = 64 * 1024;

@Injectable()
export class SignalsContextMiddleware implements NestMiddleware {
  constructor(private readonly contexts: RequestContextFactory) {}

  async use(request: Request & GateRequest, response: Response, next: NextFunction): Promise<void> {
    if (request.requestContext) return next();
    const parsed = await this.parsed(request);
    request.requestContext = this.contexts.create(request, response, senderSeen(request).ip, parsed);
    next();
  }

  private async parsed(request: Request): Promise<ParsedRequest> {
    const read = await readBytes(request, 'application/secevent+jwt', MAX_BYTES);
    if (!read.ok) {
      const { status, message, headers, cause } = read.fault;
      const fault = invalidSetError('invalid_request', message, 'request_malformed', {
        status: status === 413 ? 413 : 400,
        headers,
        cause,
      });
      return { ok: false, id: null, fault };
    }
    const params = { token: Buffer.from(read.bytes).toString('latin1').trim() };
    return {
      ok: true,
      id: null,
      message: { id: null, method: 'signals', params, era: 'modern', body: params },
    };
  }
}
