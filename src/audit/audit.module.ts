import { Module } from '@nestjs/common';
import { AuditKeysController } from './audit-keys.controller.js';
import { AuditService } from './audit.service.js';

@Module({ controllers: [AuditKeysController], providers: [AuditService], exports: [AuditService] })
export class AuditModule {}
