/** The one function that decides, for `tools/list` and `tools/call` alike. Pure. */
import {
  NO_REQUIREMENTS,
  targetLabel,
  type Decision,
  type Requirements,
  type Target,
} from '../common/decision.js';
import type { Principal } from '../common/principal.js';
import type { Reason } from '../common/reasons.js';
import type { ProtectedTarget } from './access-rule.js';

export interface PolicyRules {
  /** Labels of the allowed targets, or `*` for all of them. */
  readonly allowList: '*' | ReadonlySet<string>;
  /** Refuse a principal with no person at its root, unless the target says otherwise. */
  readonly requireHuman: boolean;
}

/**
 * Decides whether this principal may have this target.
 *
 * The order matters to the client: what no scope can cure is said first, so that `scope_missing`, whose answer
 * invites the client to ask for more scope, is given only where more scope is all that is missing.
 *
 * @param target what was asked for; without a rule it does not exist.
 */
export function evaluate(
  principal: Principal,
  target: Target | ProtectedTarget,
  rules: PolicyRules,
): Decision {
  const rule = 'rule' in target ? target.rule : undefined;
  if (!rule) return deny('tool_unknown', 'registry', NO_REQUIREMENTS, NO_REQUIREMENTS);
  const required: Requirements = { scopes: rule.scopes, roles: rule.roles };
  if (!isListed(target, rules.allowList)) {
    return deny('tool_not_allowed', 'TOOL_ALLOW_LIST', required, NO_REQUIREMENTS);
  }
  const missing: Requirements = {
    scopes: rule.scopes.filter((scope) => !principal.scopes.includes(scope)),
    roles: rule.roles.filter((group) => !group.some((role) => principal.roles.includes(role))),
  };
  if (missing.roles.length > 0) return deny('role_missing', rule.source, required, missing);
  if (rules.requireHuman && principal.kind !== 'human' && !rule.allowWorkload) {
    return deny('human_required', 'AUTH_REQUIRE_HUMAN', required, NO_REQUIREMENTS);
  }
  if (missing.scopes.length > 0) return deny('scope_missing', rule.source, required, missing);
  return { effect: 'allow', rule: rule.source, required };
}

/** Whether the operator's list has this target. */
export function isListed(target: Target, allowList: PolicyRules['allowList']): boolean {
  return allowList === '*' || allowList.has(targetLabel(target));
}

function deny(reason: Reason, rule: string, required: Requirements, missing: Requirements): Decision {
  return { effect: 'deny', reason, rule, required, missing };
}
