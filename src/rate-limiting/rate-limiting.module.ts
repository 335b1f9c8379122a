import { Global, Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { SharedProofs } from '../auth/binding/dpop-replay-store.js';
import { StorageModule } from '../storage/storage.module.js';
import { Counters } from './quota.service.js';
import { SharedCounts } from './shared-counts.js';
import { SharedSnapshot } from './shared-snapshot.service.js';
import { SharedDatabase } from './shared-database.service.js';
import { ProofsInDatabase } from './postgres-dpop-replay-store.js';

/** For the guards, which belong to the application, and for whoever checks proofs. */
@Global()
@Module({
  imports: [StorageModule, AuditModule],
  providers: [
    SharedDatabase,
    SharedCounts,
    SharedSnapshot,
    Counters,
    { provide: SharedProofs, useClass: ProofsInDatabase },
  ],
  exports: [SharedDatabase, Counters, SharedProofs],
})
export class LimitsModule {}
