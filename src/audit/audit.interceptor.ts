/** Records every allowed call and list before it starts, and the outcome of a call when it ends. */
import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { from, mergeMap, tap, type Observable } from 'rxjs';
import { AppError } from '../core/app-error.js';
import type { RequestContext, GateRequest } from '../core/request-context.js';
import { isReason, type Reason } from '../core/reasons.js';
import { AuditService } from './audit.service.js';

@Injectable()
export class AuditInterceptor implements NestInterceptor {
  constructor(private readonly audit: AuditService) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { requestContext } = context.switchToHttp().getRequest<GateRequest>();
    const kind = requestContext?.operation?.kind;
    if (!requestContext || kind === undefined || kind === 'protocol') return next.handle();
    const ended = {
      error: (thrown: unknown) => this.finish(requestContext, thrown),
      complete: () => this.finish(requestContext),
    };
    return from(this.begin(requestContext)).pipe(mergeMap(() => next.handle().pipe(tap(ended))));
  }

  /** Resolves when the decision is recorded. @throws AppError `audit_unavailable` if recording fails. */
  async begin(requestContext: RequestContext): Promise<void> {
    try {
      await this.audit.recordAllowed(requestContext);
    } finally {
      requestContext.clock?.mark('record');
    }
  }

  /**
   * Records the outcome when the tool ends, without delaying the response. @param thrown the error that
   * rejected the call later.
   */
  finish(requestContext: RequestContext, thrown?: unknown): void {
    if (requestContext.operation?.kind !== 'call') return;
    // An allowed call that never started failed before its tool.
    const ended = requestContext.outcome ?? Promise.resolve({ status: 'failed' as const, durationMs: 0 });
    this.audit.recordOutcome(requestContext, ended, reasonOf(thrown));
  }
}

/** Reason of a rejection after the call was allowed. */
function reasonOf(thrown: unknown): Reason | null {
  if (!(thrown instanceof AppError) || !isReason(thrown.code)) return null;
  return thrown.recordedReason ?? thrown.code;
}
