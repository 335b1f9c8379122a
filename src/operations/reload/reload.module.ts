import { Module } from '@nestjs/common';
import { AuditModule } from '../../audit/audit.module.js';
import { CertificateReloaderService } from './certificate-reloader.service.js';
import { PolicyReloaderService } from './policy-reloader.service.js';

@Module({ imports: [AuditModule], providers: [PolicyReloaderService, CertificateReloaderService] })
export class ReloadModule {}
