/** The decision of this deployment: the pure evaluator with the operator's settings. */
import { Inject, Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Decision, Target } from '../common/decision.js';
import type { ListKind, Listing } from '../common/exchange.js';
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

  /** What this principal sees in a list: exactly what it may call. */
  listing(principal: Principal, kind: ListKind): Listing {
    const all = this.catalogue.list(kind);
    const shown = all.filter((target) => this.decide(principal, target).effect === 'allow');
    return { shown, hidden: all.length - shown.length };
  }
}
