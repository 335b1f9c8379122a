/** Rejects revoked tokens. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { toPipelineContext, type PipelineStep, type PipelineContext } from '../core/pipeline-context.js';
import { requireAuthenticated } from '../core/request-context.js';
import { isPublicRoute } from '../core/public-route.js';
import { RevocationService } from './revocation.service.js';

@Injectable()
export class RevocationGuard implements CanActivate, PipelineStep {
  constructor(
    private readonly reflector: Reflector,
    private readonly revocations: RevocationService,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (!isPublicRoute(this.reflector, context)) await this.handle(toPipelineContext(context));
    return true;
  }

  handle({ requestContext }: PipelineContext): void | Promise<void> {
    return this.revocations.require(requireAuthenticated(requestContext).principal);
  }
}
