/** The exchange of each request of the endpoint that comes through Nest. */
import { Injectable, type NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { GateRequest } from '../core/request-context.js';
import { senderSeen } from '../core/pipeline-context.js';
import { RequestContextFactory } from './request-context.factory.js';

@Injectable()
export class RequestContextMiddleware implements NestMiddleware {
  constructor(private readonly contextFactory: RequestContextFactory) {}

  async use(request: Request & GateRequest, response: Response, next: NextFunction): Promise<void> {
    // Nest applies a middleware once for each route that matches, and a body can be read only once.
    request.requestContext ??= await this.contextFactory.create(request, response, {
      requestId: request.id as string,
      ip: senderSeen(request).ip,
    });
    next();
  }
}
