import { Module, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { RevocationModule } from '../revocation/revocation.module.js';
import { ToolsModule } from '../tools/tools.module.js';
import { UpstreamsModule } from '../upstreams/upstreams.module.js';
import { FastPathStatus } from './fast-path/fast-path-status.js';
import { RequestContextFactory } from '../http/request-context.factory.js';
import { RequestContextMiddleware } from './request-context.middleware.js';
import { McpController } from './mcp.controller.js';
import { McpServerAdapter } from './mcp-server-adapter.js';
import { ClientErrorHandler } from '../http/client-error-handler.js';

@Module({
  imports: [ToolsModule, AuditModule, RevocationModule, UpstreamsModule],
  controllers: [McpController],
  providers: [RequestContextFactory, McpServerAdapter, ClientErrorHandler, FastPathStatus],
  exports: [RequestContextFactory, McpServerAdapter, FastPathStatus],
})
export class McpModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(RequestContextMiddleware).forRoutes(McpController);
  }
}
