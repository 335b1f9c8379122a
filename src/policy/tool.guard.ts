/** Authorizes each request: allow-list, scopes, roles, assurance and conditions. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { messageOf, requireAuthenticated } from '../core/request-context.js';
import { toPipelineContext, type PipelineStep, type PipelineContext } from '../core/pipeline-context.js';
import { isPublicRoute } from '../core/public-route.js';
import { denialError } from './denial.js';
import { operationOf } from './operation.js';
import { PolicyService } from './policy.service.js';

@Injectable()
export class ToolGuard implements CanActivate, PipelineStep {
  constructor(
    private readonly reflector: Reflector,
    private readonly policy: PolicyService,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    if (!isPublicRoute(this.reflector, context)) this.handle(toPipelineContext(context));
    return true;
  }

  /** @throws AppError for a denial. */
  handle({ requestContext }: PipelineContext): void {
    const { principal, ip } = requireAuthenticated(requestContext);
    const message = messageOf(requestContext);
    const operation = operationOf(message, this.policy.catalogue);
    requestContext.operation = operation;
    if (operation.kind === 'list') requestContext.listing = this.policy.listing(principal, operation.of, ip);
    const decision =
      operation.kind === 'call'
        ? this.policy.decide(principal, operation.target, ip, operation.conditionArguments)
        : undefined;
    requestContext.clock?.mark('decision');
    if (operation.kind !== 'call' || !decision) return;
    requestContext.decision = decision;
    if (decision.effect === 'allow') return;
    throw denialError(decision, operation, message.era, this.policy.settings.denialDetail);
  }
}
