/** How often one principal may call what the operator put into a class of `policy.yaml`; counted in memory, by this instance. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { targetLabel } from '../common/decision.js';
import type { GateRequest } from '../common/exchange.js';
import { principalKey } from '../common/principal.js';
import { PolicyService } from '../policy/policy.service.js';
import { consume } from './consume.js';

@Injectable()
export class RateClassGuard implements CanActivate {
  /** By class and its rate: a class whose rate changes counts anew. */
  private readonly limiters = new Map<string, RateLimiterMemory>();

  constructor(private readonly policy: PolicyService) {
    policy.onChange(() => this.forget());
  }

  /** @throws AppError `rate_limited` (429) with the seconds to wait. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { exchange } = context.switchToHttp().getRequest<GateRequest>();
    if (!exchange?.principal || exchange.operation?.kind !== 'call' || !exchange.decision) return true;
    const rates = this.policy.target(targetLabel(exchange.operation.target))?.rates ?? [];
    for (const { name, perMinute, source } of rates) {
      // Where it is refused, the record names the rule that counted.
      exchange.limitedBy = source;
      await consume(this.limiter(name, perMinute), principalKey(exchange.principal));
      delete exchange.limitedBy;
    }
    return true;
  }

  private limiter(name: string, perMinute: number): RateLimiterMemory {
    const key = `${name} ${perMinute}`;
    const known = this.limiters.get(key);
    if (known) return known;
    const made = new RateLimiterMemory({ points: perMinute, duration: 60 });
    this.limiters.set(key, made);
    return made;
  }

  private forget(): void {
    const rates = [...this.policy.current.policy.targets.values()].flatMap((one) => one.rates);
    const inUse = new Set(rates.map(({ name, perMinute }) => `${name} ${perMinute}`));
    for (const key of this.limiters.keys()) if (!inUse.has(key)) this.limiters.delete(key);
  }
}
