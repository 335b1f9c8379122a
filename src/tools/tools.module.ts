import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { ACCESS_CATALOGUE } from '../policy/access-rule.js';
import { ToolInvoker } from './tool-invoker.js';
import { ToolRegistry } from './tool-registry.js';

@Module({
  imports: [DiscoveryModule],
  providers: [ToolRegistry, ToolInvoker, { provide: ACCESS_CATALOGUE, useExisting: ToolRegistry }],
  exports: [ToolRegistry, ToolInvoker, ACCESS_CATALOGUE],
})
export class ToolsModule {}
