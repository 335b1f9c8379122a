import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { ToolsModule } from '../tools/tools.module.js';
import { IdentityKeysController } from './identity-keys.controller.js';
import { UpstreamsService } from './upstreams.service.js';

@Module({
  imports: [ToolsModule, AuditModule],
  controllers: [IdentityKeysController],
  providers: [UpstreamsService],
  exports: [UpstreamsService],
})
export class UpstreamsModule {}
