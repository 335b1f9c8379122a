/** The exchange of each request of the endpoint that comes through Nest. */
import { Injectable, type NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { GateRequest } from '../core/request-context.js';
import { senderSeen } from '../core/pipeline-context.js';
import { Front } from './request-context.factory.js';

@Injectable()
export class FrontMiddleware implements NestMiddleware {
  constructor(private readonly front: Front) {}

  async use(request: Request & GateRequest, response: Response, next: NextFunction): Promise<void> {
    // Nest applies a middleware once for each route that matches, and a body can be read only once.
    request.exchange ??= await this.front.receive(request, response, {
      requestId: request.id as string,
      ip: senderSeen(request).ip,
    });
    next();
  }
}
