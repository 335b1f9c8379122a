/** The decision function for `tools/list` and `tools/call`. */
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

/** Accepted clock skew of an issuer in seconds. A later authentication time is rejected. */
const MAX_SECONDS_AHEAD = 60;

/** The caller's token under the policy. */
interface Standing {
  /** Scopes of the token and the scopes they imply. */
  readonly scopes: ReadonlySet<string>;
  readonly conditions: CallerConditions | undefined;
}

/** Caller, policy and environment, shared by all targets of a request. */
export interface EvaluationContext extends Standing {
  readonly principal: Principal;
  readonly policy: Policy;
  readonly environment: Environment;
  /** With all shadow rules enforced; undefined without shadow rules. */
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

/** Input of a check: caller, target and effective rules. */
interface CheckInput extends Standing {
  readonly caller: EvaluationContext;
  readonly target: ProtectedTarget;
  readonly effective: EffectiveRules;
}

/** Why a check denies. */
export interface CheckFailure {
  readonly reason: Reason;
  readonly rule: string;
  readonly missing?: Partial<Requirements>;
  readonly message?: string | undefined;
}

export type CheckName = 'allow-list' | 'roles' | 'person' | 'conditions' | 'authentication' | 'scopes';

/**
 * What is asked of a caller, in order. The order matters to the client: what no new token can cure is said first, so
 * that it is never sent for one in vain. Authentication comes before scopes, since its challenge carries the scopes of
 * the operation too (RFC 9470 section 3): one authorization request then cures both, where the other order would send
 * the person to log in twice.
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
 * Decides whether the caller may use the target. Without arguments, conditions on arguments are skipped.
 * @param target a target without a rule does not exist and is denied.
 */
export function evaluate(caller: EvaluationContext, target: Target | ProtectedTarget): Decision {
  const { policy } = caller;
  const own = 'rule' in target ? policy.targets.get(targetLabel(target)) : undefined;
  if (!own) return withPolicy(deny({ reason: 'tool_unknown', rule: 'registry' }, NO_REQUIREMENTS), policy);
  const decision = runChecks(toCheckInput(caller, own));
  const shadow = caller.shadow && shadowOf(decision, caller, caller.shadow, own);
  return withPolicy(shadow ? { ...decision, shadow } : decision, policy);
}

/** Check input under the enforced policy. */
export function toCheckInput(caller: EvaluationContext, { target, effective }: TargetPolicy): CheckInput {
  return { caller, target, effective, scopes: caller.scopes, conditions: caller.conditions };
}

/** Decision with all shadow rules enforced; undefined if it is the same. */
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
  // Only these members can allow a call that the enforced policy denies.
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
  // A challenge needs a user to authenticate; assurance claims of a workload are not accepted.
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

/** The unmet part of the assurance requirement, or null. Claims absent from the token count as unmet. */
function lackingAssurance(
  { principal: { acr, authenticatedAt }, environment }: EvaluationContext,
  asked: Assurance | null,
): Assurance | null {
  if (!asked) return null;
  const { maxAgeSeconds } = asked;
  // Whole seconds, like `auth_time`.
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
