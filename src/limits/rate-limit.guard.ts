/** How often one principal may ask; counted in memory, by this instance. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Reflector } from '@nestjs/core';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { exchangeOf, type GateRequest } from '../common/exchange.js';
import { principalKey } from '../common/principal.js';
import { isPublicRoute } from '../common/public-route.js';
import type { Settings } from '../config/settings.js';
import { consume } from './consume.js';

@Injectable()
export class RateLimitGuard implements CanActivate {
  private readonly limiter: RateLimiterMemory | undefined;

  constructor(
    private readonly reflector: Reflector,
    config: ConfigService<Settings, true>,
  ) {
    const { perMinute } = config.get('limits', { infer: true });
    this.limiter = perMinute > 0 ? new RateLimiterMemory({ points: perMinute, duration: 60 }) : undefined;
  }

  /** @throws AppError `rate_limited` (429) with the seconds to wait. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (isPublicRoute(this.reflector, context)) return true;
    const exchange = exchangeOf(context.switchToHttp().getRequest<GateRequest>());
    if (!exchange.principal) throw new Error('RateLimitGuard ran before a principal was known');
    if (this.limiter) await consume(this.limiter, principalKey(exchange.principal));
    return true;
  }
}
