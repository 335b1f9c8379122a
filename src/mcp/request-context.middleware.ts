/** Creates the request context of Nest requests to the endpoint. */
import { Injectable, type NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { GateRequest } from '../core/request-context.js';
import { senderSeen } from '../core/pipeline-context.js';
import { RequestContextFactory } from '../http/request-context.factory.js';
import { messageFacts, readRequest } from './read-request.js';

@Injectable()
export class RequestContextMiddleware implements NestMiddleware {
  constructor(private readonly contexts: RequestContextFactory) {}

  async use(request: Request & GateRequest, response: Response, next: NextFunction): Promise<void> {
    // Nest applies a middleware once per matching route, but a body can be read only once.
    if (!request.requestContext) {
      const parsed = await readRequest(request);
      const { ip } = senderSeen(request);
      request.requestContext = this.contexts.create(request, response, ip, parsed, messageFacts(parsed));
    }
    next();
  }
}
