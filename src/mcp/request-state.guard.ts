/** Verifies that request state returns unchanged from the same caller for the same call. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { malformedRequest } from '../core/app-error.js';
import { requireAuthorized, type AuthorizedRequest, type GateRequest } from '../core/request-context.js';
import { toPipelineContext, type PipelineStep, type PipelineContext } from '../core/pipeline-context.js';
import { McpServerAdapter } from './mcp-server-adapter.js';
import { RpcCode } from '../core/rpc-code.js';

@Injectable()
export class RequestStateGuard implements CanActivate, PipelineStep {
  constructor(private readonly adapter: McpServerAdapter) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { requestContext } = context.switchToHttp().getRequest<GateRequest>();
    if (requestContext) await this.handle(toPipelineContext(context));
    return true;
  }

  /** @throws AppError `request_malformed` for forged or foreign state, or state older than ten minutes. */
  handle({ requestContext }: PipelineContext): void | Promise<void> {
    if (requestContext.operation?.kind !== 'call') return;
    const authorized = requireAuthorized(requestContext);
    if (authorized.parsed.message.params.requestState !== undefined) return this.requireValid(authorized);
  }

  private async requireValid(requestContext: AuthorizedRequest): Promise<void> {
    if (await this.adapter.hasValidState(requestContext)) return;
    throw malformedRequest('Invalid or expired requestState', { rpcCode: RpcCode.InvalidParams });
  }
}
