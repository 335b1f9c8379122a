/** Root module: the modules of the server and the steps of the pipeline. */
import { Module, type DynamicModule, type ModuleMetadata } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, RouterModule } from '@nestjs/core';
import { LoggerModule } from 'nestjs-pino';
import { AdminModule } from './revocation/admin/admin.module.js';
import { AuditInterceptor } from './audit/audit.interceptor.js';
import { AuditModule } from './audit/audit.module.js';
import { AuthModule } from './auth/auth.module.js';
import { BearerGuard } from './auth/bearer.guard.js';
import type { PipelineStep } from './core/pipeline-context.js';
import { AccessLog } from './http/access-log.js';
import { LogContext } from './http/log-context.js';
import { loggerOptions } from './http/request-logging.js';
import type { Settings } from './config/settings.js';
import { ExamplesModule } from './examples/examples.module.js';
import { DiscoveryDocumentsModule } from './http/discovery/discovery-documents.module.js';
import { HealthModule } from './operations/health/health.module.js';
import { RateLimitingModule } from './rate-limiting/rate-limiting.module.js';
import { QuotaGuard } from './rate-limiting/quota.guard.js';
import { RateLimitGuard } from './rate-limiting/rate-limit.guard.js';
import { ShutdownModule } from './operations/shutdown/shutdown.module.js';
import { ErrorFilter } from './http/error.filter.js';
import { McpModule } from './mcp/mcp.module.js';
import { REQUEST_PIPELINE, BUILTIN_MIDDLEWARE, FastPath } from './mcp/fast-path/fast-path.js';
import { OriginGuard } from './http/origin.guard.js';
import { RequestStateGuard } from './mcp/request-state.guard.js';
import { OperationsModule } from './operations/operations.module.js';
import { OutboundModule } from './http/outbound/outbound.module.js';
import { PolicyModule } from './policy/policy.module.js';
import { ToolGuard } from './policy/tool.guard.js';
import { ReloadModule } from './operations/reload/reload.module.js';
import { RevocationGuard } from './revocation/revocation.guard.js';
import { RevocationModule } from './revocation/revocation.module.js';
import { SignalsModule } from './revocation/signals/signals.module.js';
import { ExportModule } from './audit/export/export.module.js';
import { StartupService } from './operations/startup/startup.service.js';
import { PolicyService } from './policy/policy.service.js';
import { AuditService } from './audit/audit.service.js';
import { ToolRegistry } from './tools/tool-registry.js';
import { UpstreamsService } from './upstreams/upstreams.service.js';
import { ToolsModule } from './tools/tools.module.js';
import { UpstreamsModule } from './upstreams/upstreams.module.js';

/** Steps of every request to the endpoint, in this order, on the fast path and in the Nest pipeline. */
const STEPS = [
  OriginGuard,
  BearerGuard,
  RevocationGuard,
  RateLimitGuard,
  ToolGuard,
  QuotaGuard,
  RequestStateGuard,
] as const;

@Module({})
export class AppModule {
  /** @param more modules with further tools, resources and prompts. */
  static forRoot(settings: Settings, more: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    const policy = PolicyModule.forRoot(ToolsModule);
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
        ShutdownModule,
        OutboundModule,
        AuthModule,
        policy,
        ToolsModule,
        AuditModule,
        ExportModule,
        ReloadModule,
        RevocationModule,
        RateLimitingModule,
        // Without revocation the API is absent: it must not acknowledge a request without effect.
        ...(settings.revocation.maxAgeSeconds > 0 ? [AdminModule] : []),
        // Without transmitters the endpoint is absent.
        ...(settings.signals.length > 0 ? [SignalsModule] : []),
        UpstreamsModule,
        McpModule,
        RouterModule.register([{ path: settings.server.mcpPath, module: McpModule }]),
        DiscoveryDocumentsModule,
        HealthModule,
        OperationsModule,
        ...(settings.examples ? [ExamplesModule] : []),
        ...more,
      ],
      providers: [
        ...STEPS,
        ...STEPS.map((step) => ({ provide: APP_GUARD, useExisting: step })),
        AuditInterceptor,
        { provide: APP_INTERCEPTOR, useExisting: AuditInterceptor },
        ErrorFilter,
        { provide: APP_FILTER, useExisting: ErrorFilter },
        { provide: REQUEST_PIPELINE, useFactory: (...steps: PipelineStep[]) => steps, inject: [...STEPS] },
        { provide: BUILTIN_MIDDLEWARE, useValue: [LoggerModule, AdminModule, SignalsModule, McpModule] },
        { provide: LogContext, useValue: logContext },
        AccessLog,
        FastPath,
        {
          provide: StartupService,
          useFactory: (...parts: [UpstreamsService, PolicyService, ToolRegistry, AuditService]) =>
            new StartupService(settings, ...parts),
          inject: [UpstreamsService, PolicyService, ToolRegistry, AuditService],
        },
      ],
    };
  }
}
