import { Module, type DynamicModule, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { ToolsModule } from '../tools/tools.module.js';
import { FrontMiddleware } from './front.middleware.js';
import { McpController } from './mcp.controller.js';
import { SdkBridge } from './sdk-bridge.js';

@Module({})
export class McpModule implements NestModule {
  static over(policy: DynamicModule): DynamicModule {
    return {
      module: McpModule,
      imports: [policy, ToolsModule],
      controllers: [McpController],
      providers: [SdkBridge],
      exports: [SdkBridge],
    };
  }

  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(FrontMiddleware).forRoutes(McpController);
  }
}
