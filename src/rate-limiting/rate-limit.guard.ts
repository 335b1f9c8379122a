/** Enforces RATE_LIMIT_PER_MINUTE per principal. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Reflector } from '@nestjs/core';
import { toPipelineContext, type PipelineStep, type PipelineContext } from '../core/pipeline-context.js';
import { requireAuthenticated } from '../core/request-context.js';
import { principalKey } from '../core/principal.js';
import { isPublicRoute } from '../core/public-route.js';
import type { Settings } from '../config/settings.js';
import { QuotaService } from './quota.service.js';

@Injectable()
export class RateLimitGuard implements CanActivate, PipelineStep {
  private readonly perMinute: number;

  constructor(
    private readonly reflector: Reflector,
    private readonly quotas: QuotaService,
    config: ConfigService<Settings, true>,
  ) {
    this.perMinute = config.get('limits', { infer: true }).perMinute;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (!isPublicRoute(this.reflector, context)) await this.handle(toPipelineContext(context));
    return true;
  }

  /** @throws AppError `rate_limited` (429) with the seconds to wait. */
  async handle({ requestContext }: PipelineContext): Promise<void> {
    const { principal } = requireAuthenticated(requestContext);
    if (this.perMinute > 0) {
      await this.quotas.count(
        { name: 'requests', calls: this.perMinute, seconds: 60 },
        principalKey(principal),
      );
    }
    requestContext.clock?.mark('limits');
  }
}
