import { Module, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { ToolsModule } from '../tools/tools.module.js';
import { FrontMiddleware } from './front.middleware.js';
import { McpController } from './mcp.controller.js';
import { SdkBridge } from './sdk-bridge.js';

@Module({
  imports: [ToolsModule],
  controllers: [McpController],
  providers: [SdkBridge],
  exports: [SdkBridge],
})
export class McpModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(FrontMiddleware).forRoutes(McpController);
  }
}
