/** State of the fast path: an extension of the host application turns it off; log and readiness report it. */
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  Logger,
  type MiddlewareConsumer,
  Module,
  type ModuleMetadata,
  type NestInterceptor,
  type NestMiddleware,
  type NestModule,
  type PipeTransform,
  Scope,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, HttpAdapterHost } from '@nestjs/core';
import type { NextFunction, Request, Response } from 'express';
import type { App } from '../src/create-app.js';
import { Gate } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';
import { ProbeModule } from './support/probe.tools.js';

/** Number of requests that extensions received. */
let seen = 0;

@Injectable()
class SizeGuard implements CanActivate {
  canActivate(_context: ExecutionContext): boolean {
    seen += 1;
    return true;
  }
}

@Injectable({ scope: Scope.REQUEST })
class TenantGuard extends SizeGuard {}

@Injectable()
class TimingInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    seen += 1;
    return next.handle();
  }
}

@Injectable()
class TrimPipe implements PipeTransform {
  transform(value: unknown): unknown {
    return value;
  }
}

@Catch(RangeError)
class RangeFilter implements ExceptionFilter {
  catch(_error: unknown, _host: ArgumentsHost): void {}
}

@Injectable()
class HeaderMiddleware implements NestMiddleware {
  use(_request: Request, _response: Response, next: NextFunction): void {
    seen += 1;
    next();
  }
}

@Module({})
class HeaderModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(HeaderMiddleware).forRoutes('{*path}');
  }
}

function compression(_request: Request, _response: Response, next: NextFunction): void {
  seen += 1;
  next();
}

/** Adds middleware at the earliest moment for a module. */
@Module({})
class EarlyModule {
  constructor(host: HttpAdapterHost) {
    host.httpAdapter.use(compression);
  }
}

function providing(token: string, useClass: Type): Type {
  @Module({ providers: [{ provide: token, useClass }] })
  class HostModule {}
  return HostModule;
}

interface Case {
  readonly name: string;
  readonly env?: Record<string, string>;
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  readonly beforeListening?: (app: App) => void;
  /** The log line after `Fast path: `. */
  readonly line: string;
  /** The reason in the readiness report; unset when the fast path is on. */
  readonly reason?: string;
  /**
   * True if the extension runs for each request. Nest binds global enhancers when it initializes; later ones
   * never run.
   */
  readonly sees?: true;
}

const CASES: readonly Case[] = [
  { name: 'no extension', line: 'on' },
  {
    name: 'MCP_FAST_PATH=off',
    env: { MCP_FAST_PATH: 'off' },
    line: 'off, MCP_FAST_PATH=off',
    reason: 'setting',
  },
  {
    name: 'APP_GUARD',
    imports: [providing(APP_GUARD, SizeGuard)],
    line: 'off, a global guard is registered: SizeGuard',
    reason: 'global_guard',
    sees: true,
  },
  {
    name: 'APP_GUARD of request scope',
    imports: [providing(APP_GUARD, TenantGuard)],
    line: 'off, a global guard is registered: TenantGuard',
    reason: 'global_guard',
    sees: true,
  },
  {
    name: 'APP_INTERCEPTOR',
    imports: [providing(APP_INTERCEPTOR, TimingInterceptor)],
    line: 'off, a global interceptor is registered: TimingInterceptor',
    reason: 'global_interceptor',
    sees: true,
  },
  {
    name: 'APP_PIPE',
    imports: [providing(APP_PIPE, TrimPipe)],
    line: 'off, a global pipe is registered: TrimPipe',
    reason: 'global_pipe',
  },
  {
    name: 'APP_FILTER',
    imports: [providing(APP_FILTER, RangeFilter)],
    line: 'off, a global filter is registered: RangeFilter',
    reason: 'global_filter',
  },
  {
    name: 'useGlobalGuards',
    beforeListening: ({ nest }) => nest.useGlobalGuards(new SizeGuard()),
    line: 'off, a global guard is registered: SizeGuard',
    reason: 'global_guard',
  },
  {
    name: 'useGlobalInterceptors',
    beforeListening: ({ nest }) => nest.useGlobalInterceptors(new TimingInterceptor()),
    line: 'off, a global interceptor is registered: TimingInterceptor',
    reason: 'global_interceptor',
  },
  {
    name: 'useGlobalPipes',
    beforeListening: ({ nest }) => nest.useGlobalPipes(new TrimPipe()),
    line: 'off, a global pipe is registered: TrimPipe',
    reason: 'global_pipe',
  },
  {
    name: 'useGlobalFilters',
    beforeListening: ({ nest }) => nest.useGlobalFilters(new RangeFilter()),
    line: 'off, a global filter is registered: RangeFilter',
    reason: 'global_filter',
  },
  {
    name: 'middleware of a module',
    imports: [HeaderModule],
    line: 'off, a module configures middleware: HeaderModule',
    reason: 'module_middleware',
    sees: true,
  },
  {
    name: 'nest.use()',
    beforeListening: ({ nest }) => nest.use(compression),
    line: 'off, middleware is added to the application: compression',
    reason: 'application_middleware',
  },
  {
    name: 'middleware of the HTTP adapter before Nest initializes',
    imports: [EarlyModule],
    line: 'off, middleware is added to the application: compression',
    reason: 'application_middleware',
    sees: true,
  },
  {
    name: 'several extensions',
    imports: [providing(APP_GUARD, SizeGuard), HeaderModule],
    beforeListening: ({ nest }) => nest.use(compression),
    line:
      'off, a global guard is registered: SizeGuard; a module configures middleware: HeaderModule; ' +
      'middleware is added to the application: compression',
    reason: 'global_guard, module_middleware, application_middleware',
    sees: true,
  },
];

let issuer: TestIssuer;

beforeAll(async () => {
  issuer = await TestIssuer.start();
});
afterAll(() => issuer.stop());

it.each(CASES.map((one) => [one.name, one] as const))(
  'is reported in the log and in readiness with %s',
  async (_name, { env, imports = [], beforeListening, line, reason, sees }) => {
    const log = jest.spyOn(Logger.prototype, 'log');
    const gate = await Gate.start({
      issuer,
      database: false,
      imports: [ProbeModule, ...imports],
      ...(env && { env }),
      ...(beforeListening && { beforeListening }),
    });
    try {
      const lines = log.mock.calls.map(([, message]) => String(message));
      expect(lines.filter((one) => one.startsWith('Fast path: '))).toEqual([`Fast path: ${line}`]);
      const { fast_path } = (await gate.get('/health/ready')).body as { fast_path: unknown };
      expect(fast_path).toEqual(reason === undefined ? { state: 'on' } : { state: 'off', reason });
      const before = seen;
      const answer = await gate.callTool(await gate.token({ scope: 'probe' }), 'echo', { text: 'hello' });
      expect(answer.body).toMatchObject({ result: { content: [{ type: 'text' }] } });
      if (sees) expect(seen).toBeGreaterThan(before);
      // The SDK writes a response in chunks, the fast path in one piece.
      expect(answer.headers.has('content-length')).toBe(reason === undefined);
    } finally {
      log.mockRestore();
      await gate.close();
    }
  },
);
