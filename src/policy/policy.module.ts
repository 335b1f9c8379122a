import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { PolicyService } from './policy.service.js';

@Module({})
export class PolicyModule {
  /** @param catalogue the module that provides the {@link ACCESS_CATALOGUE}: what there is to decide about. */
  static over(catalogue: Type): DynamicModule {
    return {
      module: PolicyModule,
      imports: [catalogue],
      providers: [PolicyService],
      exports: [PolicyService],
    };
  }
}
