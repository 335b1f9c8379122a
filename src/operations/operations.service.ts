/** Observes requests for metrics and traces, and serves metrics on a separate port. */
import {
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { EventLogger } from '../core/event-logger.js';
import type { RequestContext, Trace } from '../core/request-context.js';
import { RequestObserver } from '../core/request-observer.js';
import type { OperationsSettings, OutboundSettings, Settings } from '../config/settings.js';
import { HealthService } from './health/health.service.js';
import { Metrics } from './metrics/metrics.js';
import { Tracing } from './tracing/tracing.js';

@Injectable()
export class OperationsService
  extends RequestObserver
  implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown
{
  private readonly logger = new EventLogger('Operations');
  private readonly settings: OperationsSettings;
  private readonly outbound: OutboundSettings | undefined;
  private tracing: Tracing | undefined;
  private server: Server | undefined;

  constructor(
    config: ConfigService<Settings, true>,
    private readonly metrics: Metrics,
    private readonly health: HealthService,
  ) {
    super();
    this.settings = config.get('operations', { infer: true });
    this.outbound = config.get('outbound', { infer: true });
  }

  async onModuleInit(): Promise<void> {
    const { tracing } = this.settings;
    if (tracing) this.tracing = await Tracing.start(tracing, this.outbound);
  }

  /** @throws Error if the port is unavailable: the server does not start without its metrics. */
  async onApplicationBootstrap(): Promise<void> {
    const { metrics } = this.settings;
    if (!metrics) return;
    const server = createServer((request, response) => {
      this.answer(request, response).catch((error: Error) => {
        this.logger.write('metrics.read_failed', 'Metrics: the request failed with 500', { err: error });
        response.writeHead(500).end();
      });
    });
    server.listen(metrics.port, metrics.host);
    await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
      throw Object.assign(new Error(`METRICS_PORT: the port is unavailable (${error.code})`), {
        name: 'ConfigurationError',
      });
    });
    this.server = server;
    this.logger.write(
      'metrics.listening',
      `Metrics and health: listening on http://${metrics.host}:${metrics.port}`,
    );
  }

  async onApplicationShutdown(): Promise<void> {
    this.server?.closeAllConnections();
    this.server?.close();
    await this.tracing?.stop();
  }

  begin(trace: Trace | undefined): Trace | undefined {
    return this.tracing ? this.tracing.begin(trace) : trace;
  }

  end(requestContext: RequestContext, status: number): void {
    try {
      if (this.settings.metrics) this.metrics.observe(requestContext, status);
      this.tracing?.end(requestContext, status);
    } catch (error) {
      this.logger.write('metrics.failed', 'Metrics: the request could not be measured', { err: error });
    }
  }

  private async answer({ method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, type: string, text: string) =>
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
    if (method !== 'GET') return void send(405, 'text/plain', 'This server accepts GET only\n');
    switch (url) {
      case '/metrics': {
        const { type, text } = await this.metrics.render();
        return void send(200, type, text);
      }
      case '/health/live':
        return void send(200, 'application/json', JSON.stringify({ status: 'ok' }));
      case '/health/ready': {
        const { isReady, report } = await this.health.ready();
        return void send(isReady ? 200 : 503, 'application/json', JSON.stringify(report));
      }
      default:
        return void send(404, 'text/plain', 'Not found\n');
    }
  }
}
