/** Puts every allowed call and list on record before it starts, and how a call ended when it has. */
import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { from, mergeMap, tap, type Observable } from 'rxjs';
import type { Exchange, GateRequest } from '../common/exchange.js';
import { AuditService } from './audit.service.js';

@Injectable()
export class AuditInterceptor implements NestInterceptor {
  constructor(private readonly audit: AuditService) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { exchange } = context.switchToHttp().getRequest<GateRequest>();
    const kind = exchange?.operation?.kind;
    if (!exchange || kind === undefined || kind === 'protocol') return next.handle();
    const ended = { error: () => this.finish(exchange), complete: () => this.finish(exchange) };
    const recorded = this.audit.recordAllowed(exchange).finally(() => exchange.clock?.lap('record'));
    return from(recorded).pipe(mergeMap(() => next.handle().pipe(tap(ended))));
  }

  /** The answer does not wait for this: it is written when the tool has really ended. */
  private finish(exchange: Exchange): void {
    if (exchange.operation?.kind !== 'call') return;
    // A call that was allowed and never started has failed before its tool.
    const ended = exchange.outcome ?? Promise.resolve({ status: 'failed' as const, durationMs: 0 });
    this.audit.recordOutcome(exchange, ended);
  }
}
