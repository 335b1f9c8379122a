/** The first question of every request: who is asking? */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { exchangeOf, type GateRequest } from '../common/exchange.js';
import { isPublicRoute } from '../common/public-route.js';
import { readBearerToken } from './bearer-header.js';
import { TokenVerifier } from './token-verifier.js';

@Injectable()
export class BearerGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly verifier: TokenVerifier,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (isPublicRoute(this.reflector, context)) return true;
    const request = context.switchToHttp().getRequest<Request & GateRequest>();
    const exchange = exchangeOf(request);
    const token = readBearerToken(request.headersDistinct.authorization ?? [], Object.keys(request.query));
    exchange.principal = await this.verifier.verify(token);
    return true;
  }
}
