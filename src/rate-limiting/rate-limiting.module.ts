import { Global, Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { DpopReplayStore } from '../auth/binding/dpop-replay-store.js';
import { StorageModule } from '../storage/storage.module.js';
import { QuotaService } from './quota.service.js';
import { SharedCounts } from './shared-counts.js';
import { SharedSnapshotService } from './shared-snapshot.service.js';
import { SharedDatabaseService } from './shared-database.service.js';
import { PostgresDpopReplayStore } from './postgres-dpop-replay-store.js';

/** Global for the guards of the application and for proof verification. */
@Global()
@Module({
  imports: [StorageModule, AuditModule],
  providers: [
    SharedDatabaseService,
    SharedCounts,
    SharedSnapshotService,
    QuotaService,
    { provide: DpopReplayStore, useClass: PostgresDpopReplayStore },
  ],
  exports: [SharedDatabaseService, QuotaService, DpopReplayStore],
})
export class RateLimitingModule {}
