import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { PolicyService } from './policy.service.js';

@Module({})
export class PolicyModule {
  /** @param catalogue the module that provides the {@link ACCESS_CATALOGUE}: what there is to decide about. */
  static forRoot(catalogue: Type): DynamicModule {
    return {
      module: PolicyModule,
      // There is one policy, which decides, tells clients what to ask for, and is told of in readiness.
      global: true,
      imports: [catalogue],
      providers: [PolicyService],
      exports: [PolicyService],
    };
  }
}
