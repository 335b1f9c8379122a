/** The one function that decides, for `tools/list` and `tools/call` alike. Pure. */
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
import type { CallerConditions, Circumstances, GeneralRules, Policy, TargetPolicy, View } from './policy.js';

/** An issuer's clock may run ahead of ours by this much; what claims a later authentication claims too much. */
const MAX_SECONDS_AHEAD = 60;

/** What the policy makes of a caller's token. */
interface Standing {
  /** Those of the token, and what they imply. */
  readonly scopes: ReadonlySet<string>;
  readonly conditions: CallerConditions | undefined;
}

/** Who asks, under which policy and when: what is the same for every target of one request. */
export interface Caller extends Standing {
  readonly principal: Principal;
  readonly policy: Policy;
  readonly circumstances: Circumstances;
  /** With everything on trial as if it counted; undefined where nothing is on trial. */
  readonly tried: Standing | undefined;
}

export function callerOf(principal: Principal, policy: Policy, circumstances: Circumstances): Caller {
  const standing = ({ impliedScopes }: GeneralRules, tried: boolean): Standing => {
    const scopes = new Set(principal.scopes);
    for (const scope of principal.scopes) {
      for (const implied of impliedScopes.get(scope) ?? []) scopes.add(implied);
    }
    const conditions = policy.conditions?.forCaller(principal, [...scopes], circumstances, tried);
    return { scopes, conditions };
  };
  const tried = policy.tried && standing(policy.tried, true);
  return { principal, policy, circumstances, ...standing(policy, false), tried };
}

/** One question: this caller, this target, with or without everything on trial. */
interface Question extends Standing {
  readonly caller: Caller;
  readonly target: ProtectedTarget;
  readonly view: View;
}

/** Why a check refuses. */
export interface Finding {
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
export const CHECKS: readonly { readonly name: CheckName; judge(question: Question): Finding | undefined }[] =
  [
    { name: 'allow-list', judge: listed },
    { name: 'roles', judge: roles },
    { name: 'person', judge: person },
    { name: 'conditions', judge: conditions },
    { name: 'authentication', judge: authentication },
    { name: 'scopes', judge: scopes },
  ];

/**
 * Decides whether this caller may have this target. Where the circumstances hold no arguments, conditions on arguments
 * are left out: what is denied then is denied whatever they are.
 * @param target what was asked for; without a rule it does not exist.
 */
export function evaluate(caller: Caller, target: Target | ProtectedTarget): Decision {
  const { policy } = caller;
  const own = 'rule' in target ? policy.targets.get(targetLabel(target)) : undefined;
  if (!own) return withPolicy(deny({ reason: 'tool_unknown', rule: 'registry' }, NO_REQUIREMENTS), policy);
  const decision = judge(questionOf(caller, own));
  const shadow = caller.tried && shadowOf(decision, caller, caller.tried, own);
  return withPolicy(shadow ? { ...decision, shadow } : decision, policy);
}

/** The question as the policy in effect puts it. */
export function questionOf(caller: Caller, { target, view }: TargetPolicy): Question {
  return { caller, target, view, scopes: caller.scopes, conditions: caller.conditions };
}

/** The decision with everything on trial as if it counted; undefined where it is the same. */
function shadowOf(
  decision: Decision,
  caller: Caller,
  tried: Standing,
  { target, tried: view }: TargetPolicy,
): Shadow | undefined {
  const would = judge({ caller, target, view, ...tried });
  if (would.effect === 'deny') {
    const agrees = decision.effect === 'deny' && decision.reason === would.reason;
    return agrees ? undefined : { reason: would.reason, rule: would.rule };
  }
  if (decision.effect === 'allow') return undefined;
  // Only these members can open what the policy in effect denies.
  const member = tried.scopes.size > caller.scopes.size ? 'scope_implies' : 'time_zone';
  return { reason: null, rule: `${POLICY_FILE}: ${member}` };
}

function judge(question: Question): Decision {
  for (const check of CHECKS) {
    const finding = check.judge(question);
    if (finding) return deny(finding, question.view.required);
  }
  return { effect: 'allow', rule: question.target.rule.source, required: question.view.required };
}

function listed({ view }: Question): Finding | undefined {
  return view.closedBy === undefined ? undefined : { reason: 'tool_not_allowed', rule: view.closedBy };
}

function roles(question: Question): Finding | undefined {
  const { caller, view } = question;
  const lacks = (group: readonly string[]) => !group.some((role) => caller.principal.roles.includes(role));
  const demand = view.demands.find((one) => one.roles.some(lacks));
  if (!demand) return undefined;
  const missing = {
    roles: view.required.roles.filter(lacks),
    scopes: missingScopes(question),
    assurance: missingAssurance(question),
  };
  return { reason: 'role_missing', rule: demand.source, missing };
}

function person({ caller, target, view }: Question): Finding | undefined {
  const { principal, policy } = caller;
  if (principal.kind === 'human') return undefined;
  if (policy.requireHuman && !target.rule.allowWorkload) {
    return { reason: 'human_required', rule: 'AUTH_REQUIRE_HUMAN' };
  }
  // There is nobody whom a challenge could send to authenticate, and what a workload says of it is nobody's.
  const excluding = view.demands.find(
    ({ assurance, workloads }) => assurance !== null || workloads?.has(principal.clientId) === false,
  );
  return excluding && { reason: 'human_required', rule: excluding.source };
}

function conditions({ conditions: own, target }: Question): Finding | undefined {
  const failed = own?.failing(target);
  return failed && { reason: 'condition_failed', rule: failed.rule, message: failed.message };
}

function authentication(question: Question): Finding | undefined {
  const assurance = missingAssurance(question);
  if (!assurance) return undefined;
  const unmet = question.view.demands.find((demand) => lackingAssurance(question.caller, demand.assurance));
  return {
    reason: 'assurance_insufficient',
    rule: unmet?.source ?? question.target.rule.source,
    missing: { assurance, scopes: missingScopes(question) },
  };
}

function scopes(question: Question): Finding | undefined {
  const missing = missingScopes(question);
  if (missing.length === 0) return undefined;
  const unmet = question.view.demands.find((demand) => demand.scopes.some((one) => missing.includes(one)));
  return {
    reason: 'scope_missing',
    rule: unmet?.source ?? question.target.rule.source,
    missing: { scopes: missing },
  };
}

function missingScopes({ scopes: held, view }: Question): string[] {
  return view.required.scopes.filter((scope) => !held.has(scope));
}

function missingAssurance({ caller, view }: Question): Assurance | null {
  return lackingAssurance(caller, view.required.assurance);
}

/** What of the demand this principal's authentication does not meet, or null. What the token does not say is not met. */
function lackingAssurance(
  { principal: { acr, authenticatedAt }, circumstances }: Caller,
  asked: Assurance | null,
): Assurance | null {
  if (!asked) return null;
  const { maxAgeSeconds } = asked;
  // Whole seconds, as `auth_time` has them.
  const age = authenticatedAt === null ? NaN : Math.floor(circumstances.now / 1000) - authenticatedAt;
  const isInContext = asked.acr.length === 0 || asked.acr.some((one) => acr.includes(one));
  const isRecent = maxAgeSeconds === null || (age >= -MAX_SECONDS_AHEAD && age <= maxAgeSeconds);
  if (isInContext && isRecent) return null;
  return { acr: isInContext ? [] : asked.acr, maxAgeSeconds: isRecent ? null : maxAgeSeconds };
}

function deny({ reason, rule, missing, message }: Finding, required: Requirements): Deny {
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
