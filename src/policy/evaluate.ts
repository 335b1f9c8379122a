/** The one function that decides, for `tools/list` and `tools/call` alike. Pure. */
import {
  NO_REQUIREMENTS,
  targetLabel,
  type Assurance,
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

/** An issuer's clock may run ahead of ours by this much; what claims a later authentication claims too much. */
const MAX_SECONDS_AHEAD = 60;

/**
 * Decides whether this principal may have this target.
 *
 * The order matters to the client: what no new token can cure is said first, so that it is never sent for one in vain.
 * Assurance comes before scope, since its challenge carries the scopes of the operation too (RFC 9470 section 3): one
 * authorization request then cures both, where the other order would send the person to log in twice.
 *
 * @param target what was asked for; without a rule it does not exist.
 * @param now in seconds since the epoch.
 */
export function evaluate(
  principal: Principal,
  target: Target | ProtectedTarget,
  rules: PolicyRules,
  now: number,
): Decision {
  const rule = 'rule' in target ? target.rule : undefined;
  if (!rule) return deny('tool_unknown', 'registry', NO_REQUIREMENTS, NO_REQUIREMENTS);
  const required: Requirements = { scopes: rule.scopes, roles: rule.roles, assurance: rule.assurance };
  if (!isListed(target, rules.allowList)) {
    return deny('tool_not_allowed', 'TOOL_ALLOW_LIST', required, NO_REQUIREMENTS);
  }
  const missing: Requirements = {
    scopes: rule.scopes.filter((scope) => !principal.scopes.includes(scope)),
    roles: rule.roles.filter((group) => !group.some((role) => principal.roles.includes(role))),
    assurance: lackingAssurance(principal, rule.assurance, now),
  };
  if (missing.roles.length > 0) return deny('role_missing', rule.source, required, missing);
  if (principal.kind !== 'human') {
    if (rules.requireHuman && !rule.allowWorkload) {
      return deny('human_required', 'AUTH_REQUIRE_HUMAN', required, NO_REQUIREMENTS);
    }
    // There is nobody whom a challenge could send to authenticate, and what a workload says of it is nobody's.
    if (rule.assurance) return deny('human_required', rule.source, required, NO_REQUIREMENTS);
  }
  if (missing.assurance) return deny('assurance_insufficient', rule.source, required, missing);
  if (missing.scopes.length > 0) return deny('scope_missing', rule.source, required, missing);
  return { effect: 'allow', rule: rule.source, required };
}

/** Whether the operator's list has this target. */
export function isListed(target: Target, allowList: PolicyRules['allowList']): boolean {
  return allowList === '*' || allowList.has(targetLabel(target));
}

/** What of the demand this principal's authentication does not meet, or null. What the token does not say is not met. */
function lackingAssurance(
  { acr, authenticatedAt }: Principal,
  asked: Assurance | null,
  now: number,
): Assurance | null {
  if (!asked) return null;
  const { maxAgeSeconds } = asked;
  const age = authenticatedAt === null ? NaN : now - authenticatedAt;
  const isInContext = asked.acr.length === 0 || asked.acr.some((one) => acr.includes(one));
  const isRecent = maxAgeSeconds === null || (age >= -MAX_SECONDS_AHEAD && age <= maxAgeSeconds);
  if (isInContext && isRecent) return null;
  return { acr: isInContext ? [] : asked.acr, maxAgeSeconds: isRecent ? null : maxAgeSeconds };
}

function deny(reason: Reason, rule: string, required: Requirements, missing: Requirements): Decision {
  return { effect: 'deny', reason, rule, required, missing };
}
