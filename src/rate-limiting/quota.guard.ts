/** Enforces rates and quotas of `policy.yaml`. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { EventLogger } from '../core/event-logger.js';
import { targetLabel } from '../core/decision.js';
import type { RequestContext, GateRequest } from '../core/request-context.js';
import { toPipelineContext, type PipelineStep, type PipelineContext } from '../core/pipeline-context.js';
import type { Principal } from '../core/principal.js';
import { PolicyService } from '../policy/policy.service.js';
import { rateLimitKey, type RateClass } from '../policy/rates.js';
import { QuotaService, type Limit } from './quota.service.js';

@Injectable()
export class QuotaGuard implements CanActivate, PipelineStep {
  private readonly logger = new EventLogger('Limits');

  constructor(
    private readonly policy: PolicyService,
    private readonly quotas: QuotaService,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { requestContext } = context.switchToHttp().getRequest<GateRequest>();
    if (requestContext) await this.handle(toPipelineContext(context));
    return true;
  }

  /** @throws AppError `rate_limited` (429) with the seconds to wait. */
  handle({ requestContext }: PipelineContext): void | Promise<void> {
    if (!requestContext.principal || requestContext.operation?.kind !== 'call' || !requestContext.decision)
      return;
    const label = targetLabel(requestContext.operation.target);
    const rates = this.policy.target(label)?.rates ?? [];
    if (rates.length > 0) return this.count(requestContext, requestContext.principal, label, rates);
  }

  private async count(
    requestContext: RequestContext,
    principal: Principal,
    label: string,
    rates: readonly RateClass[],
  ): Promise<void> {
    for (const rate of rates.filter(({ isShadow }) => !isShadow)) {
      // The record of a denial names this rule.
      requestContext.rateLimitRule = rate.source;
      await this.quotas.count(limitOf(rate), rateLimitKey(rate, principal, label));
      requestContext.rateLimitRule = undefined;
    }
    const over = await this.exhaustedShadow(requestContext, principal, label, rates);
    if (over && requestContext.decision) {
      requestContext.decision = {
        ...requestContext.decision,
        shadow: { reason: 'rate_limited', rule: over.source },
      };
    }
    requestContext.clock?.mark('limits');
  }

  /** First shadow class that would have denied the call. Only allowed calls count, as in enforced classes. */
  private async exhaustedShadow(
    { decision }: RequestContext,
    principal: Principal,
    label: string,
    rates: readonly RateClass[],
  ): Promise<RateClass | undefined> {
    if (decision?.effect !== 'allow' || decision.shadow) return undefined;
    for (const rate of rates.filter(({ isShadow }) => isShadow)) {
      try {
        if (await this.quotas.countShadow(limitOf(rate), rateLimitKey(rate, principal, label))) return rate;
      } catch (error) {
        // A shadow rule has no effect, even if its counter fails.
        const message = `Shadow rate rule ${rate.source}: the call was not counted`;
        this.logger.write('rate_limit.shadow_count_failed', message, { err: error });
      }
    }
    return undefined;
  }
}

/** A shadow class has its own counter; enforcement starts from zero. */
function limitOf({ name, by, eachTool, calls, seconds, isShadow }: RateClass): Limit {
  const kind = isShadow ? 'shadow' : 'class';
  return { name: `${kind} ${name} ${by}${eachTool ? ' each' : ''}`, calls, seconds };
}
