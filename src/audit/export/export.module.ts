import { Module } from '@nestjs/common';
import { AuditModule } from '../audit.module.js';
import { ForwardingService } from './forwarding.service.js';

@Module({ imports: [AuditModule], providers: [ForwardingService], exports: [ForwardingService] })
export class ExportModule {}
