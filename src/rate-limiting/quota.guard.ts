/** How often what the operator put into a class of `policy.yaml` may be called. */
import { Injectable, Logger, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { targetLabel } from '../core/decision.js';
import type { Exchange, GateRequest } from '../core/request-context.js';
import { passageOf, type GateStep, type Passage } from '../core/pipeline-context.js';
import type { Principal } from '../core/principal.js';
import { PolicyService } from '../policy/policy.service.js';
import { countedAs, type RateClass } from '../policy/rates.js';
import { Counters, type Limit } from './quota.service.js';

@Injectable()
export class RateClassGuard implements CanActivate, GateStep {
  private readonly logger = new Logger('Limits');

  constructor(
    private readonly policy: PolicyService,
    private readonly counters: Counters,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { exchange } = context.switchToHttp().getRequest<GateRequest>();
    if (exchange) await this.pass(passageOf(context));
    return true;
  }

  /** @throws AppError `rate_limited` (429) with the seconds to wait. */
  pass({ exchange }: Passage): void | Promise<void> {
    if (!exchange.principal || exchange.operation?.kind !== 'call' || !exchange.decision) return;
    const label = targetLabel(exchange.operation.target);
    const rates = this.policy.target(label)?.rates ?? [];
    if (rates.length > 0) return this.count(exchange, exchange.principal, label, rates);
  }

  private async count(
    exchange: Exchange,
    principal: Principal,
    label: string,
    rates: readonly RateClass[],
  ): Promise<void> {
    for (const rate of rates.filter(({ onTrial }) => !onTrial)) {
      // Where it is refused, the record names the rule that counted.
      exchange.limitedBy = rate.source;
      await this.counters.count(limitOf(rate), countedAs(rate, principal, label));
      delete exchange.limitedBy;
    }
    const over = await this.overOnTrial(exchange, principal, label, rates);
    if (over && exchange.decision) {
      exchange.decision = { ...exchange.decision, shadow: { reason: 'rate_limited', rule: over.source } };
    }
    exchange.clock?.lap('limits');
  }

  /** The first class on trial that would have refused the call. Like enforced classes, it counts only allowed calls. */
  private async overOnTrial(
    { decision }: Exchange,
    principal: Principal,
    label: string,
    rates: readonly RateClass[],
  ): Promise<RateClass | undefined> {
    if (decision?.effect !== 'allow' || decision.shadow) return undefined;
    for (const rate of rates.filter(({ onTrial }) => onTrial)) {
      try {
        if (await this.counters.countOnTrial(limitOf(rate), countedAs(rate, principal, label))) return rate;
      } catch (error) {
        // A rule on trial has no effect, even where its counter fails.
        this.logger.error({ err: error }, `A call could not be counted on trial: ${rate.source}`);
      }
    }
    return undefined;
  }
}

/** What is counted on trial starts from zero when it is enforced. */
function limitOf({ name, by, eachTool, calls, seconds, onTrial }: RateClass): Limit {
  const kind = onTrial ? 'trial' : 'class';
  return { name: `${kind} ${name} ${by}${eachTool ? ' each' : ''}`, calls, seconds };
}
