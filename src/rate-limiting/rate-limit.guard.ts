/** How often one principal may ask. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Reflector } from '@nestjs/core';
import { passageOf, type GateStep, type Passage } from '../core/pipeline-context.js';
import { principalKey } from '../core/principal.js';
import { isPublicRoute } from '../core/public-route.js';
import type { Settings } from '../config/settings.js';
import { Counters } from './quota.service.js';

@Injectable()
export class RateLimitGuard implements CanActivate, GateStep {
  private readonly perMinute: number;

  constructor(
    private readonly reflector: Reflector,
    private readonly counters: Counters,
    config: ConfigService<Settings, true>,
  ) {
    this.perMinute = config.get('limits', { infer: true }).perMinute;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (!isPublicRoute(this.reflector, context)) await this.pass(passageOf(context));
    return true;
  }

  /** @throws AppError `rate_limited` (429) with the seconds to wait. */
  async pass({ exchange }: Passage): Promise<void> {
    const { principal } = exchange;
    if (!principal) throw new Error('RateLimitGuard ran before a principal was known');
    if (this.perMinute > 0) {
      await this.counters.count(
        { name: 'requests', calls: this.perMinute, seconds: 60 },
        principalKey(principal),
      );
    }
    exchange.clock?.lap('limits');
  }
}
