/** Every thrown error passes here: it is recorded once, logged once, and answered. */
import {
  Catch,
  HttpException,
  Injectable,
  Logger,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Request, Response } from 'express';
import { AuditService } from '../audit/audit.service.js';
import { AppError, unexpectedError } from '../common/app-error.js';
import type { Exchange, GateRequest } from '../common/exchange.js';
import { isReason } from '../common/reasons.js';
import type { Settings } from '../config/settings.js';
import { ToolRegistry } from '../tools/registry.js';
import { renderError, type ChallengeFacts } from './render-error.js';

@Injectable()
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger(ErrorFilter.name);
  private readonly resourceMetadata: string;

  constructor(
    config: ConfigService<Settings, true>,
    private readonly registry: ToolRegistry,
    private readonly audit: AuditService,
  ) {
    const { publicUrl, mcpPath } = config.get('server', { infer: true });
    this.resourceMetadata = `${publicUrl}/.well-known/oauth-protected-resource${mcpPath}`;
  }

  async catch(thrown: unknown, host: ArgumentsHost): Promise<void> {
    const { exchange } = host.switchToHttp().getRequest<Request & GateRequest>();
    const response = host.switchToHttp().getResponse<Response>();
    const error = toAppError(thrown);
    this.log(error, exchange);
    if (exchange && !exchange.audited && isReason(error.code)) {
      await this.audit.recordRefusal(exchange, error.recordedReason ?? error.code);
    }
    if (response.headersSent) {
      response.end();
      return;
    }
    const { status, headers, body } = renderError(error, exchange, this.challengeFacts());
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.status(status).end(JSON.stringify(body));
  }

  private challengeFacts(): ChallengeFacts {
    return { resourceMetadata: this.resourceMetadata, basicScopes: this.registry.basicScopes() };
  }

  /** Refusals by code alone: causes may hold claims. What nobody foresaw, and what the operator must mend, in full. */
  private log(error: AppError, exchange: Exchange | undefined): void {
    const about = { code: error.code, requestId: exchange?.requestId, decisionId: exchange?.decisionId };
    if (error.status >= 500) this.logger.error({ ...about, err: error.cause ?? error }, error.message);
    else if (isReason(error.code)) this.logger.log(about, 'Refused');
  }
}

/** Nest's own refusals (no such route, a URL that cannot be decoded) are kept to their status; the rest is unforeseen. */
function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const status = thrown instanceof HttpException ? thrown.getStatus() : statusOf(thrown);
  if (status >= 400 && status < 500) {
    return status === 404
      ? new AppError('not_found', 'There is nothing here', { status })
      : new AppError('request_malformed', 'The request cannot be read', { status });
  }
  return unexpectedError(thrown);
}

/** Express names a path that cannot be decoded a URIError; its other refusals carry their status. */
function statusOf(thrown: unknown): number {
  if (thrown instanceof URIError) return 400;
  const { status } = (thrown ?? {}) as { status?: unknown };
  return typeof status === 'number' ? status : 500;
}
