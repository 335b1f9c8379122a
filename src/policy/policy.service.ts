/** The decision of this deployment: the pure evaluator with the operator's settings. */
import { Inject, Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Decision, Target } from '../common/decision.js';
import type { Principal } from '../common/principal.js';
import type { PolicySettings, Settings } from '../config/settings.js';
import { ACCESS_CATALOGUE, type AccessCatalogue, type ProtectedTarget } from './access-rule.js';
import { evaluate } from './evaluate.js';

@Injectable()
export class PolicyService {
  readonly settings: PolicySettings;

  constructor(
    config: ConfigService<Settings, true>,
    @Inject(ACCESS_CATALOGUE) readonly catalogue: AccessCatalogue,
  ) {
    this.settings = config.get('policy', { infer: true });
  }

  decide(principal: Principal, target: Target | ProtectedTarget): Decision {
    // Whole seconds, as `auth_time` has them.
    return evaluate(principal, target, this.settings, Math.floor(Date.now() / 1000));
  }

  /** Whether this principal sees this target in a list: exactly where a call of it would be allowed. */
  shows(principal: Principal, target: ProtectedTarget): boolean {
    return this.decide(principal, target).effect === 'allow';
  }
}
