/** Whether the token that was verified is still in force: signatures do not know who has left. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { passageOf, type GateStep, type Passage } from '../core/pipeline-context.js';
import { isPublicRoute } from '../core/public-route.js';
import { RevocationsService } from './revocation.service.js';

@Injectable()
export class RevocationGuard implements CanActivate, GateStep {
  constructor(
    private readonly reflector: Reflector,
    private readonly revocations: RevocationsService,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (!isPublicRoute(this.reflector, context)) await this.pass(passageOf(context));
    return true;
  }

  pass({ exchange: { principal } }: Passage): void | Promise<void> {
    if (!principal) throw new Error('RevocationGuard ran before a principal was known');
    return this.revocations.require(principal);
  }
}
