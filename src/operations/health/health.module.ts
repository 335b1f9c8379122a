import { Module } from '@nestjs/common';
import { AuditModule } from '../../audit/audit.module.js';
import { AuthModule } from '../../auth/auth.module.js';
import { RevocationModule } from '../../revocation/revocation.module.js';
import { StorageModule } from '../../storage/storage.module.js';
import { ExportModule } from '../../audit/export/export.module.js';
import { UpstreamsModule } from '../../upstreams/upstreams.module.js';
import { McpModule } from '../../mcp/mcp.module.js';
import { HealthController } from './health.controller.js';
import { HealthService } from './health.service.js';

@Module({
  imports: [
    RevocationModule,
    ExportModule,
    AuditModule,
    AuthModule,
    StorageModule,
    UpstreamsModule,
    McpModule,
  ],
  controllers: [HealthController],
  providers: [HealthService],
  exports: [HealthService],
})
export class HealthModule {}
