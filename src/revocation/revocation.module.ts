import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { StorageModule } from '../storage/storage.module.js';
import { RevocationService } from './revocation.service.js';

@Module({
  imports: [StorageModule, AuditModule],
  providers: [RevocationService],
  exports: [RevocationService],
})
export class RevocationModule {}
