/** Records, logs and answers every thrown error once. */
import { Catch, HttpException, Injectable, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { ServerResponse } from 'node:http';
import { EventLogger } from '../core/event-logger.js';
import { AuditService } from '../audit/audit.service.js';
import { PROOF_ALGORITHMS } from '../auth/binding/sender-binding.js';
import { AppError, unexpectedError } from '../core/app-error.js';
import type { AuthScheme } from '../core/challenge.js';
import type { RequestContext, GateRequest } from '../core/request-context.js';
import { isReason } from '../core/reasons.js';
import type { IssuerSettings, Settings } from '../config/settings.js';
import { PolicyService } from '../policy/policy.service.js';
import { renderError, type ChallengeFacts } from './render-error.js';

@Injectable()
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new EventLogger(ErrorFilter.name);
  private readonly resourceMetadata: string;
  /** As clients see it. */
  private readonly endpointPath: string;
  private readonly issuers: readonly IssuerSettings[];

  constructor(
    config: ConfigService<Settings, true>,
    private readonly policy: PolicyService,
    private readonly audit: AuditService,
  ) {
    const { publicUrl, mcpPath, resource } = config.get('server', { infer: true });
    this.issuers = config.get('auth', { infer: true }).issuers;
    this.endpointPath = new URL(resource).pathname;
    this.resourceMetadata = `${publicUrl}/.well-known/oauth-protected-resource${mcpPath}`;
  }

  async catch(thrown: unknown, host: ArgumentsHost): Promise<void> {
    const http = host.switchToHttp();
    await this.answer(
      thrown,
      http.getRequest<GateRequest>().requestContext,
      http.getResponse<ServerResponse>(),
    );
  }

  /** @param requestContext undefined outside of the endpoint. */
  async answer(
    thrown: unknown,
    requestContext: RequestContext | undefined,
    response: ServerResponse,
  ): Promise<void> {
    const error = toAppError(thrown, this.endpointPath);
    this.log(error, requestContext);
    if (requestContext && !requestContext.audited && isReason(error.code)) {
      await this.audit.recordRefusal(requestContext, error.recordedReason ?? error.code);
      requestContext.clock?.mark('record');
    }
    if (response.headersSent) {
      response.end();
      return;
    }
    const { status, headers, body } = renderError(error, requestContext, this.challengeFacts(requestContext));
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.statusCode = status;
    response.end(JSON.stringify(body));
  }

  /** Facts of the caller's issuer; before authentication, of the first issuer. */
  private challengeFacts(requestContext: RequestContext | undefined): ChallengeFacts {
    const { issuers } = this;
    const own = issuers.find(({ issuer }) => issuer === requestContext?.principal?.issuer) ?? issuers[0];
    return {
      resourceMetadata: this.resourceMetadata,
      challengeScopes: this.policy.challengeScopes(),
      scopePrefix: own?.scopePrefix ?? '',
      schemes: acceptedSchemes(issuers),
      algorithms: PROOF_ALGORITHMS,
    };
  }

  /**
   * Denials with their code only: causes may contain claims. Unexpected errors and faults of the operator with their
   * cause.
   */
  private log(error: AppError, requestContext: RequestContext | undefined): void {
    const about = {
      code: error.code,
      requestId: requestContext?.requestId,
      decisionId: requestContext?.decisionId,
      ...(requestContext?.trace && { traceId: requestContext.trace.id }),
    };
    if (error.status >= 500) {
      const message = `Request failed: ${error.code}: ${error.message}`;
      this.logger.write('request.failed', message, { ...about, err: error.cause ?? error });
    } else if (isReason(error.code)) {
      this.logger.write('request.denied', `Request denied: ${error.code}`, about);
    }
  }
}

/** `DPoP` if an issuer requires bound tokens; `Bearer` if one does not. */
function acceptedSchemes(issuers: readonly IssuerSettings[]): AuthScheme[] {
  const schemes: AuthScheme[] = issuers.some(({ dpop }) => dpop !== 'required') ? ['Bearer'] : [];
  return issuers.some(({ dpop }) => dpop === 'required') ? [...schemes, 'DPoP'] : schemes;
}

/** Keeps the status of Nest's own errors (unknown route, undecodable URL). Other errors are unexpected. */
function toAppError(thrown: unknown, endpointPath: string): AppError {
  if (thrown instanceof AppError) return thrown;
  const status = thrown instanceof HttpException ? thrown.getStatus() : statusOf(thrown);
  if (status >= 400 && status < 500) {
    return status === 404
      ? new AppError('not_found', `Not found: the MCP endpoint is ${endpointPath}`, { status })
      : new AppError('request_malformed', 'The request is malformed', { status });
  }
  return unexpectedError(thrown);
}

/** Express throws URIError for an undecodable path; its other errors have a status. */
function statusOf(thrown: unknown): number {
  if (thrown instanceof URIError) return 400;
  const { status } = (thrown ?? {}) as { status?: unknown };
  return typeof status === 'number' ? status : 500;
}
