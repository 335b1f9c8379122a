import { Module, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { AuditModule } from '../../audit/audit.module.js';
import { RevocationModule } from '../revocation.module.js';
import { SignalsController } from './signals.controller.js';
import { SignalsFrontMiddleware } from './signals-context.middleware.js';
import { SignalsService } from './signals.service.js';
import { TransmitterKeys } from './transmitter-keys.service.js';

@Module({
  imports: [RevocationModule, AuditModule],
  controllers: [SignalsController],
  providers: [TransmitterKeys, SignalsService],
})
export class SignalsModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(SignalsFrontMiddleware).forRoutes(SignalsController);
  }
}
