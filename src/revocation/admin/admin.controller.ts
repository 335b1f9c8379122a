/** HTTP API of revocations: add, list, withdraw. Token checks and records equal those of calls. */
import {
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  Param,
  Post,
  Req,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { AppError, malformedRequest } from '../../core/app-error.js';
import {
  requestContextOf,
  messageOf,
  requireAuthenticated,
  type RequestContext,
  type GateRequest,
} from '../../core/request-context.js';
import type { IssuerSettings, Settings } from '../../config/settings.js';
import { RevocationService } from '../revocation.service.js';
import { toRevocationJson } from '../revocation-json.js';
import { decideAdmin } from './decide-admin.js';
import { readRevocation } from './read-revocation.js';

const RETRY_AFTER_SECONDS = 5;

/** Decides about these routes after token verification. */
class AdminGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const requestContext = requestContextOf(context.switchToHttp().getRequest<GateRequest>());
    const { principal } = requireAuthenticated(requestContext);
    const { method, params } = messageOf(requestContext);
    requestContext.operation = {
      kind: 'call',
      target: {
        kind: 'tool',
        name: `admin:${method}`,
        recordedArguments: ['kind', 'issuer', 'id', 'reason'],
      },
      arguments: params,
    };
    const decision = decideAdmin(principal);
    requestContext.decision = decision;
    if (decision.effect === 'allow') return true;
    const isRole = decision.reason === 'role_missing';
    throw new AppError(
      decision.reason,
      isRole ? 'This operation requires the administrator role' : 'The token lacks a scope',
      {
        status: 403,
        data: { required_scopes: decision.required.scopes, missing_roles: decision.missing.roles },
        ...(!isRole && { challenge: { error: 'insufficient_scope', scope: decision.required.scopes } }),
      },
    );
  }
}

@Controller('admin/revocations')
@UseGuards(AdminGuard)
export class AdminController {
  private readonly issuers: readonly IssuerSettings[];

  constructor(
    private readonly revocations: RevocationService,
    config: ConfigService<Settings, true>,
  ) {
    this.issuers = config.get('auth', { infer: true }).issuers;
  }

  @Get()
  @Header('cache-control', 'no-store')
  list(@Req() request: GateRequest): Promise<{ revocations: object[] }> {
    return withOutcome(requestContextOf(request), () =>
      Promise.resolve({ revocations: this.revocations.list().map(toRevocationJson) }),
    );
  }

  @Post()
  @HttpCode(201)
  @Header('cache-control', 'no-store')
  add(@Req() request: GateRequest): Promise<object> {
    const requestContext = requestContextOf(request);
    return withOutcome(requestContext, async () => {
      const read = readRevocation(messageOf(requestContext).params, Date.now(), this.issuers);
      if (!read.ok) throw malformedRequest(read.fault);
      const by = requireAuthenticated(requestContext).principal.subject;
      return toRevocationJson(await stored(this.revocations.add({ ...read.revocation, by })));
    });
  }

  @Delete(':id')
  @HttpCode(204)
  async withdraw(@Req() request: GateRequest, @Param('id') id: string): Promise<void> {
    await withOutcome(requestContextOf(request), async () => {
      if (!(await stored(this.revocations.withdraw(id)))) {
        throw new AppError('not_found', 'Unknown revocation', { status: 404 });
      }
    });
  }
}

/** Reports the outcome to the audit. */
async function withOutcome<T>(requestContext: RequestContext, run: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const running = run();
  const durationMs = () => Math.round(performance.now() - started);
  requestContext.outcome = running.then(
    () => ({ status: 'ok' as const, durationMs: durationMs() }),
    () => ({ status: 'failed' as const, durationMs: durationMs() }),
  );
  return running;
}

/** @throws AppError `identity_unavailable` (503) if the database does not store it. */
async function stored<T>(storing: Promise<T>): Promise<T> {
  try {
    return await storing;
  } catch (cause) {
    throw new AppError('identity_unavailable', 'The database did not store the revocation: try again', {
      status: 503,
      retryAfterSeconds: RETRY_AFTER_SECONDS,
      cause,
    });
  }
}
