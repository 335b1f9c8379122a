import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { PolicyService } from './policy.service.js';

@Module({})
export class PolicyModule {
  /** @param catalogue module that provides the {@link ACCESS_CATALOGUE}. */
  static forRoot(catalogue: Type): DynamicModule {
    return {
      module: PolicyModule,
      // A single policy serves decisions, challenges and readiness.
      global: true,
      imports: [catalogue],
      providers: [PolicyService],
      exports: [PolicyService],
    };
  }
}
