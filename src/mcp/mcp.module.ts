import { Module, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { RevocationModule } from '../revocation/revocation.module.js';
import { ToolsModule } from '../tools/tools.module.js';
import { UpstreamsModule } from '../upstreams/upstreams.module.js';
import { Front } from './request-context.factory.js';
import { FrontMiddleware } from './request-context.middleware.js';
import { McpController } from './mcp.controller.js';
import { SdkBridge } from './mcp-server-adapter.js';
import { UnreadableRequests } from '../http/client-error-handler.js';

@Module({
  imports: [ToolsModule, AuditModule, RevocationModule, UpstreamsModule],
  controllers: [McpController],
  providers: [Front, SdkBridge, UnreadableRequests],
  exports: [Front, SdkBridge],
})
export class McpModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(FrontMiddleware).forRoutes(McpController);
  }
}
