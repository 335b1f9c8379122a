import { Module, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { RequestContextFactory } from '../../http/request-context.factory.js';
import { RevocationModule } from '../revocation.module.js';
import { AdminController } from './admin.controller.js';
import { AdminContextMiddleware } from './admin-context.middleware.js';

@Module({ imports: [RevocationModule], controllers: [AdminController], providers: [RequestContextFactory] })
export class AdminModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(AdminContextMiddleware).forRoutes(AdminController);
  }
}
