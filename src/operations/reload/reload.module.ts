import { Module } from '@nestjs/common';
import { AuditModule } from '../../audit/audit.module.js';
import { CertificateReloader } from './certificate-reloader.service.js';
import { PolicyReloader } from './policy-reloader.service.js';

@Module({ imports: [AuditModule], providers: [PolicyReloader, CertificateReloader] })
export class ReloadModule {}
