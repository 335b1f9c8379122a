import { Module, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { AuditModule } from '../../audit/audit.module.js';
import { RevocationModule } from '../revocation.module.js';
import { RequestContextFactory } from '../../http/request-context.factory.js';
import { SignalsController } from './signals.controller.js';
import { SignalsContextMiddleware } from './signals-context.middleware.js';
import { SignalsService } from './signals.service.js';
import { TransmitterKeysService } from './transmitter-keys.service.js';

@Module({
  imports: [RevocationModule, AuditModule],
  controllers: [SignalsController],
  providers: [RequestContextFactory, TransmitterKeysService, SignalsService],
})
export class SignalsModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(SignalsContextMiddleware).forRoutes(SignalsController);
  }
}
