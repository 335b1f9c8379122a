/** The decision function of `tools/list` and `tools/call`. Pure. */
import {
  NO_REQUIREMENTS,
  targetLabel,
  type Assurance,
  type Decision,
  type Deny,
  type Requirements,
  type Shadow,
  type Target,
} from '../core/decision.js';
import type { Principal } from '../core/principal.js';
import type { Reason } from '../core/reasons.js';
import type { ProtectedTarget } from './access-rule.js';
import { POLICY_FILE } from './policy-file.js';
import type {
  CallerConditions,
  Environment,
  GeneralRules,
  Policy,
  TargetPolicy,
  EffectiveRules,
} from './policy.js';

/** Tolerated clock difference of an issuer; a later `auth_time` is rejected. */
const MAX_SECONDS_AHEAD = 60;

/** Effect of the policy on a caller's token. */
interface Standing {
  /** Scopes of the token and implied ones. */
  readonly scopes: ReadonlySet<string>;
  readonly conditions: CallerConditions | undefined;
}

/** Caller, policy and time: equal for all targets of one request. */
export interface EvaluationContext extends Standing {
  readonly principal: Principal;
  readonly policy: Policy;
  readonly environment: Environment;
  /** With shadow rules applied; undefined without shadow rules. */
  readonly shadow: Standing | undefined;
}

export function callerOf(principal: Principal, policy: Policy, environment: Environment): EvaluationContext {
  const standing = ({ impliedScopes }: GeneralRules, shadow: boolean): Standing => {
    const scopes = new Set(principal.scopes);
    for (const scope of principal.scopes) {
      for (const implied of impliedScopes.get(scope) ?? []) scopes.add(implied);
    }
    const conditions = policy.conditions?.forCaller(principal, [...scopes], environment, shadow);
    return { scopes, conditions };
  };
  const shadow = policy.shadow && standing(policy.shadow, true);
  return { principal, policy, environment, ...standing(policy, false), shadow };
}

/** Input of the checks: caller and target, with or without shadow rules. */
interface CheckInput extends Standing {
  readonly caller: EvaluationContext;
  readonly target: ProtectedTarget;
  readonly effective: EffectiveRules;
}

/** Failure of a check. */
export interface CheckFailure {
  readonly reason: Reason;
  readonly rule: string;
  readonly missing?: Partial<Requirements>;
  readonly message?: string | undefined;
}

export type CheckName = 'allow-list' | 'roles' | 'person' | 'conditions' | 'authentication' | 'scopes';

/**
 * Checks in order. Requirements that no new token can satisfy come first, so that a client is not sent for one in
 * vain. Authentication precedes scopes, because its challenge includes the scopes of the operation (RFC 9470 section
 * 3): one authorization request then satisfies both.
 */
export const CHECKS: readonly {
  readonly name: CheckName;
  evaluate(checkInput: CheckInput): CheckFailure | undefined;
}[] = [
  { name: 'allow-list', evaluate: allowList },
  { name: 'roles', evaluate: roles },
  { name: 'person', evaluate: person },
  { name: 'conditions', evaluate: conditions },
  { name: 'authentication', evaluate: authentication },
  { name: 'scopes', evaluate: scopes },
];

/**
 * Decides whether this caller may use this target. Without arguments, conditions on arguments are skipped: a denial
 * then holds for all arguments.
 * @param target requested target; without a rule it is unknown.
 */
export function evaluate(caller: EvaluationContext, target: Target | ProtectedTarget): Decision {
  const { policy } = caller;
  const own = 'rule' in target ? policy.targets.get(targetLabel(target)) : undefined;
  if (!own) return withPolicy(deny({ reason: 'tool_unknown', rule: 'registry' }, NO_REQUIREMENTS), policy);
  const decision = runChecks(toCheckInput(caller, own));
  const shadow = caller.shadow && shadowOf(decision, caller, caller.shadow, own);
  return withPolicy(shadow ? { ...decision, shadow } : decision, policy);
}

/** Input under the effective policy. */
export function toCheckInput(caller: EvaluationContext, { target, effective }: TargetPolicy): CheckInput {
  return { caller, target, effective, scopes: caller.scopes, conditions: caller.conditions };
}

/** Decision with shadow rules applied; undefined if equal. */
function shadowOf(
  decision: Decision,
  caller: EvaluationContext,
  shadow: Standing,
  { target, shadow: effective }: TargetPolicy,
): Shadow | undefined {
  const would = runChecks({ caller, target, effective, ...shadow });
  if (would.effect === 'deny') {
    const agrees = decision.effect === 'deny' && decision.reason === would.reason;
    return agrees ? undefined : { reason: would.reason, rule: would.rule };
  }
  if (decision.effect === 'allow') return undefined;
  // Only these members can allow what the effective policy denies.
  const member = shadow.scopes.size > caller.scopes.size ? 'scope_implies' : 'time_zone';
  return { reason: null, rule: `${POLICY_FILE}: ${member}` };
}

function runChecks(checkInput: CheckInput): Decision {
  for (const check of CHECKS) {
    const failure = check.evaluate(checkInput);
    if (failure) return deny(failure, checkInput.effective.required);
  }
  return { effect: 'allow', rule: checkInput.target.rule.source, required: checkInput.effective.required };
}

function allowList({ effective }: CheckInput): CheckFailure | undefined {
  return effective.blockedBy === undefined
    ? undefined
    : { reason: 'tool_not_allowed', rule: effective.blockedBy };
}

function roles(checkInput: CheckInput): CheckFailure | undefined {
  const { caller, effective } = checkInput;
  const lacks = (group: readonly string[]) => !group.some((role) => caller.principal.roles.includes(role));
  const requirement = effective.requirements.find((one) => one.roles.some(lacks));
  if (!requirement) return undefined;
  const missing = {
    roles: effective.required.roles.filter(lacks),
    scopes: missingScopes(checkInput),
    assurance: missingAssurance(checkInput),
  };
  return { reason: 'role_missing', rule: requirement.source, missing };
}

function person({ caller, target, effective }: CheckInput): CheckFailure | undefined {
  const { principal, policy } = caller;
  if (principal.kind === 'human') return undefined;
  if (policy.requireHuman && !target.rule.allowWorkload) {
    return { reason: 'human_required', rule: 'AUTH_REQUIRE_HUMAN' };
  }
  // A challenge cannot make a workload authenticate, and its own claims do not count.
  const excluding = effective.requirements.find(
    ({ assurance, workloads }) => assurance !== null || workloads?.has(principal.clientId) === false,
  );
  return excluding && { reason: 'human_required', rule: excluding.source };
}

function conditions({ conditions: own, target }: CheckInput): CheckFailure | undefined {
  const failed = own?.failing(target);
  return failed && { reason: 'condition_failed', rule: failed.rule, message: failed.message };
}

function authentication(checkInput: CheckInput): CheckFailure | undefined {
  const assurance = missingAssurance(checkInput);
  if (!assurance) return undefined;
  const unmet = checkInput.effective.requirements.find((requirement) =>
    lackingAssurance(checkInput.caller, requirement.assurance),
  );
  return {
    reason: 'assurance_insufficient',
    rule: unmet?.source ?? checkInput.target.rule.source,
    missing: { assurance, scopes: missingScopes(checkInput) },
  };
}

function scopes(checkInput: CheckInput): CheckFailure | undefined {
  const missing = missingScopes(checkInput);
  if (missing.length === 0) return undefined;
  const unmet = checkInput.effective.requirements.find((requirement) =>
    requirement.scopes.some((one) => missing.includes(one)),
  );
  return {
    reason: 'scope_missing',
    rule: unmet?.source ?? checkInput.target.rule.source,
    missing: { scopes: missing },
  };
}

function missingScopes({ scopes: held, effective }: CheckInput): string[] {
  return effective.required.scopes.filter((scope) => !held.has(scope));
}

function missingAssurance({ caller, effective }: CheckInput): Assurance | null {
  return lackingAssurance(caller, effective.required.assurance);
}

/** Unmet part of the assurance, or null. Missing claims count as unmet. */
function lackingAssurance(
  { principal: { acr, authenticatedAt }, environment }: EvaluationContext,
  asked: Assurance | null,
): Assurance | null {
  if (!asked) return null;
  const { maxAgeSeconds } = asked;
  // Whole seconds, as in `auth_time`.
  const age = authenticatedAt === null ? NaN : Math.floor(environment.now / 1000) - authenticatedAt;
  const isInContext = asked.acr.length === 0 || asked.acr.some((one) => acr.includes(one));
  const isRecent = maxAgeSeconds === null || (age >= -MAX_SECONDS_AHEAD && age <= maxAgeSeconds);
  if (isInContext && isRecent) return null;
  return { acr: isInContext ? [] : asked.acr, maxAgeSeconds: isRecent ? null : maxAgeSeconds };
}

function deny({ reason, rule, missing, message }: CheckFailure, required: Requirements): Deny {
  return {
    effect: 'deny',
    reason,
    rule,
    required,
    missing: { ...NO_REQUIREMENTS, ...missing },
    ...(message !== undefined && { message }),
  };
}

function withPolicy(decision: Decision, { digest }: Policy): Decision {
  return digest === undefined ? decision : { ...decision, policy: digest };
}
