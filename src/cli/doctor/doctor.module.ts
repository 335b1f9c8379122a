/** Token verification without port, database and audit log. */
import { Module, type DynamicModule } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { AuthModule } from '../../auth/auth.module.js';
import type { Settings } from '../../config/settings.js';
import { OutboundModule } from '../../http/outbound/outbound.module.js';

@Module({})
export class DoctorModule {
  static forRoot(settings: Settings): DynamicModule {
    return {
      module: DoctorModule,
      imports: [
        ConfigModule.forRoot({
          isGlobal: true,
          ignoreEnvFile: true,
          skipProcessEnv: true,
          validatePredefined: false,
          load: [() => settings],
        }),
        OutboundModule,
        AuthModule,
      ],
    };
  }
}
