import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { ToolsModule } from '../tools/tools.module.js';
import { DiscoveryController } from './discovery.controller.js';

@Module({ imports: [AuthModule, ToolsModule], controllers: [DiscoveryController] })
export class DiscoveryDocumentsModule {}
