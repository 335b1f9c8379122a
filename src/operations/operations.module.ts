import { Global, Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { RequestObserver } from '../core/request-observer.js';
import { HealthModule } from './health/health.module.js';
import { RevocationModule } from '../revocation/revocation.module.js';
import { ExportModule } from '../audit/export/export.module.js';
import { Metrics } from './metrics/metrics.js';
import { OperationsService } from './operations.service.js';

/** Global for all receivers of requests. */
@Global()
@Module({
  imports: [AuditModule, AuthModule, HealthModule, RevocationModule, ExportModule],
  providers: [Metrics, OperationsService, { provide: RequestObserver, useExisting: OperationsService }],
  exports: [RequestObserver],
})
export class OperationsModule {}
