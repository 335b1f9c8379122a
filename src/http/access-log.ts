/** Access log: one line per request, when its response is sent or its client disconnects. */
import { Injectable } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PinoLogger } from 'nestjs-pino';
import type { LogEvent } from '../core/log-events.js';

/** Probes are frequent. */
const UNLOGGED = '/health/';

@Injectable()
export class AccessLog {
  constructor(private readonly logger: PinoLogger) {}

  /** Must be called when the request arrives. */
  watch(request: IncomingMessage, response: ServerResponse): void {
    const { logger } = this.logger;
    if (!logger.isLevelEnabled('info') || request.url?.startsWith(UNLOGGED)) return;
    const started = Date.now();
    response.once('close', () => {
      const isWhole = !request.readableAborted && response.writableEnded;
      const about = { req: request, res: response, responseTime: Date.now() - started };
      if (response.statusCode >= 500) {
        const err = new Error(`failed with status code ${response.statusCode}`);
        const event: LogEvent = 'http.request_failed';
        logger.info({ event, ...about, err }, 'request failed');
      } else {
        const event: LogEvent = isWhole ? 'http.request_completed' : 'http.request_aborted';
        logger.info({ event, ...about }, isWhole ? 'request completed' : 'request aborted');
      }
    });
  }
}
