import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { StorageModule } from '../storage/storage.module.js';
import { RevocationsService } from './revocation.service.js';

@Module({
  imports: [StorageModule, AuditModule],
  providers: [RevocationsService],
  exports: [RevocationsService],
})
export class RevocationModule {}
