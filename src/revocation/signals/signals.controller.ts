/**
 * Receives security event tokens (RFC 8935 section 2). Transmitters send no access token; the service authenticates
 * them.
 */
import { Controller, Header, HttpCode, Post, Req } from '@nestjs/common';
import type { Request } from 'express';
import { requestContextOf, messageOf, type GateRequest } from '../../core/request-context.js';
import { PublicRoute } from '../../core/public-route.js';
import { SignalsService } from './signals.service.js';

@Controller('signals/events')
@PublicRoute()
export class SignalsController {
  constructor(private readonly signals: SignalsService) {}

  @Post()
  @HttpCode(202)
  @Header('cache-control', 'no-store')
  async receive(@Req() request: Request & GateRequest): Promise<void> {
    const requestContext = requestContextOf(request);
    await this.signals.receive({
      token: messageOf(requestContext).params.token as string,
      authorization: request.get('authorization'),
      ip: requestContext.ip,
    });
  }
}
