import { Controller, Get, Header, Res } from '@nestjs/common';
import type { Response } from 'express';
import { PublicRoute } from '../../core/public-route.js';
import { HealthService } from './health.service.js';

@Controller('health')
@PublicRoute()
export class HealthController {
  constructor(private readonly health: HealthService) {}

  /** 200 while the process answers. */
  @Get('live')
  @Header('cache-control', 'no-store')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** 200 if the server can process calls; 503 otherwise, and during shutdown. */
  @Get('ready')
  @Header('cache-control', 'no-store')
  async ready(@Res({ passthrough: true }) response: Response): Promise<object> {
    const { isReady, report } = await this.health.ready();
    response.status(isReady ? 200 : 503);
    return report;
  }
}
