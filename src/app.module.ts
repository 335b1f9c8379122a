/** The whole application: what it is made of, and, in one visible list, what every request passes. */
import { Module, type DynamicModule, type ModuleMetadata } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, RouterModule } from '@nestjs/core';
import { LoggerModule } from 'nestjs-pino';
import { AdminModule } from './admin/admin.module.js';
import { AuditInterceptor } from './audit/audit.interceptor.js';
import { AuditModule } from './audit/audit.module.js';
import { AuthModule } from './auth/auth.module.js';
import { BearerGuard } from './auth/bearer.guard.js';
import type { GateStep } from './common/passage.js';
import { LogContext } from './config/log-context.js';
import { loggerOptions } from './config/logging.js';
import type { Settings } from './config/settings.js';
import { DiscoveryDocumentsModule } from './discovery/discovery.module.js';
import { HealthModule } from './health/health.module.js';
import { LimitsModule } from './limits/limits.module.js';
import { RateClassGuard } from './limits/rate-class.guard.js';
import { RateLimitGuard } from './limits/rate-limit.guard.js';
import { LifecycleModule } from './lifecycle/lifecycle.module.js';
import { ErrorFilter } from './mcp/error.filter.js';
import { McpModule } from './mcp/mcp.module.js';
import { GATE_STEPS, OWN_MIDDLEWARES, ShortWay } from './mcp/short-way.js';
import { OriginGuard } from './mcp/origin.guard.js';
import { RequestStateGuard } from './mcp/request-state.guard.js';
import { OperationsModule } from './operations/operations.module.js';
import { OutboundModule } from './outbound/outbound.module.js';
import { PolicyModule } from './policy/policy.module.js';
import { ToolGuard } from './policy/tool.guard.js';
import { ReloadModule } from './reload/reload.module.js';
import { RevocationGuard } from './revocation/revocation.guard.js';
import { RevocationModule } from './revocation/revocation.module.js';
import { SignalsModule } from './signals/signals.module.js';
import { SinksModule } from './sinks/sinks.module.js';
import { TOOL_MODULES } from './tool-modules.js';
import { ToolsModule } from './tools/tools.module.js';
import { UpstreamsModule } from './upstreams/upstreams.module.js';

/** What every request of the endpoint passes, in this order, whichever way it takes. */
const STEPS = [
  OriginGuard,
  BearerGuard,
  RevocationGuard,
  RateLimitGuard,
  ToolGuard,
  RateClassGuard,
  RequestStateGuard,
] as const;

@Module({})
export class AppModule {
  /** @param more modules with further tools, resources and prompts. */
  static with(settings: Settings, more: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    const policy = PolicyModule.over(ToolsModule);
    const logContext = new LogContext();
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot({
          isGlobal: true,
          ignoreEnvFile: true,
          skipProcessEnv: true,
          validatePredefined: false,
          load: [() => settings],
        }),
        LoggerModule.forRoot(loggerOptions(settings.log, logContext)),
        LifecycleModule,
        OutboundModule,
        AuthModule,
        policy,
        ToolsModule,
        AuditModule,
        SinksModule,
        ReloadModule,
        RevocationModule,
        LimitsModule,
        // Where revocation is switched off there is nothing to administer: what has no effect must not be acknowledged.
        ...(settings.revocation.maxAgeSeconds > 0 ? [AdminModule] : []),
        // Where nobody is listened to there is no such endpoint.
        ...(settings.signals.length > 0 ? [SignalsModule] : []),
        UpstreamsModule,
        McpModule,
        RouterModule.register([{ path: settings.server.mcpPath, module: McpModule }]),
        DiscoveryDocumentsModule,
        HealthModule,
        OperationsModule,
        ...TOOL_MODULES,
        ...more,
      ],
      providers: [
        ...STEPS,
        ...STEPS.map((step) => ({ provide: APP_GUARD, useExisting: step })),
        AuditInterceptor,
        { provide: APP_INTERCEPTOR, useExisting: AuditInterceptor },
        ErrorFilter,
        { provide: APP_FILTER, useExisting: ErrorFilter },
        { provide: GATE_STEPS, useFactory: (...steps: GateStep[]) => steps, inject: [...STEPS] },
        { provide: OWN_MIDDLEWARES, useValue: [LoggerModule, AdminModule, SignalsModule, McpModule] },
        { provide: LogContext, useValue: logContext },
        ShortWay,
      ],
    };
  }
}
