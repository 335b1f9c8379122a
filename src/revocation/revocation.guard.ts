/** Whether the token that was verified is still in force: signatures do not know who has left. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { exchangeOf, type GateRequest } from '../common/exchange.js';
import { isPublicRoute } from '../common/public-route.js';
import { RevocationsService } from './revocations.service.js';

@Injectable()
export class RevocationGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly revocations: RevocationsService,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (isPublicRoute(this.reflector, context)) return true;
    const { principal } = exchangeOf(context.switchToHttp().getRequest<GateRequest>());
    if (!principal) throw new Error('RevocationGuard ran before a principal was known');
    await this.revocations.require(principal);
    return true;
  }
}
