/** The second question of every request: may this caller have this? */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { messageOf } from '../core/request-context.js';
import { passageOf, type GateStep, type Passage } from '../core/pipeline-context.js';
import { isPublicRoute } from '../core/public-route.js';
import { denialError } from './denial.js';
import { operationOf } from './operation.js';
import { PolicyService } from './policy.service.js';

@Injectable()
export class ToolGuard implements CanActivate, GateStep {
  constructor(
    private readonly reflector: Reflector,
    private readonly policy: PolicyService,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    if (!isPublicRoute(this.reflector, context)) this.pass(passageOf(context));
    return true;
  }

  /** @throws AppError where it is denied. */
  pass({ exchange }: Passage): void {
    if (!exchange.principal) throw new Error('ToolGuard ran before a principal was known');
    const message = messageOf(exchange);
    const operation = operationOf(message, this.policy.catalogue);
    exchange.operation = operation;
    const { principal, ip } = exchange;
    if (operation.kind === 'list') exchange.listing = this.policy.listing(principal, operation.of, ip);
    const decision =
      operation.kind === 'call'
        ? this.policy.decide(principal, operation.target, ip, operation.judged)
        : undefined;
    exchange.clock?.lap('decision');
    if (operation.kind !== 'call' || !decision) return;
    exchange.decision = decision;
    if (decision.effect === 'allow') return;
    throw denialError(decision, operation, message.era, this.policy.settings.denialDetail);
  }
}
