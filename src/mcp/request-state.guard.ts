/** The state that a tool asked a client to keep must come back as it was given, to the same caller, for the same call. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { malformedRequest } from '../core/app-error.js';
import { messageOf, type Exchange, type GateRequest } from '../core/request-context.js';
import { passageOf, type GateStep, type Passage } from '../core/pipeline-context.js';
import { SdkBridge } from './mcp-server-adapter.js';

@Injectable()
export class RequestStateGuard implements CanActivate, GateStep {
  constructor(private readonly bridge: SdkBridge) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { exchange } = context.switchToHttp().getRequest<GateRequest>();
    if (exchange) await this.pass(passageOf(context));
    return true;
  }

  /** @throws AppError `request_malformed` where the state is forged, foreign or older than ten minutes. */
  pass({ exchange }: Passage): void | Promise<void> {
    if (exchange.operation?.kind !== 'call') return;
    if (messageOf(exchange).params.requestState !== undefined) return this.requireValid(exchange);
  }

  private async requireValid(exchange: Exchange): Promise<void> {
    if (await this.bridge.hasValidState(exchange)) return;
    throw malformedRequest('Invalid or expired requestState', { rpcCode: -32602 });
  }
}
