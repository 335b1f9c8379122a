/** Activates the configured proxies for the lifetime of the application. */
import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Settings } from '../../config/settings.js';
import { useProxies } from './outbound.js';

const PROXIES = Symbol('proxies');

@Module({
  providers: [
    {
      provide: PROXIES,
      inject: [ConfigService],
      useFactory: (config: ConfigService<Settings, true>) =>
        useProxies(config.get('outbound', { infer: true })),
    },
  ],
})
export class OutboundModule implements OnApplicationShutdown {
  constructor(@Inject(PROXIES) private readonly leave: () => Promise<void>) {}

  onApplicationShutdown(): Promise<void> {
    return this.leave();
  }
}
