/** Explains the decision for one principal and target, check by check. Pure. */
import { targetLabel, type Decision, type Requirements } from '../../core/decision.js';
import { duration } from '../../lib/format-text.js';
import {
  CHECKS,
  evaluate,
  toCheckInput,
  type EvaluationContext,
  type CheckName,
  type CheckFailure,
} from '../../policy/evaluate.js';
import type { CedarRule } from '../../policy/cedar/cedar-file.js';
import type { LoadedPolicy } from '../../policy/load-policy.js';
import type { TargetPolicy } from '../../policy/policy.js';
import type { RateClass } from '../../policy/rates.js';

export interface Step {
  readonly check: CheckName | 'known';
  readonly outcome: 'passed' | 'refused' | 'not reached';
  /** Requirement and finding. */
  readonly message: string;
  /** Denying rule. */
  readonly rule: string | undefined;
}

export interface Explanation {
  readonly target: string;
  readonly decision: Decision;
  readonly steps: readonly Step[];
  /** Rate classes that count a call. */
  readonly rates: readonly RateClass[];
  /** Conditions that need arguments and were not evaluated. */
  readonly open: readonly string[];
}

/** @param label as in allow-lists. */
export function explain(loaded: LoadedPolicy, caller: EvaluationContext, label: string): Explanation {
  const own = loaded.policy.targets.get(label);
  if (!own) {
    const decision = evaluate(caller, { kind: 'tool', name: label });
    const message = 'no tool, prompt or resource has this name';
    return {
      target: label,
      decision,
      steps: [{ check: 'known', outcome: 'refused', message, rule: 'registry' }],
      rates: [],
      open: [],
    };
  }
  const checkInput = toCheckInput(caller, own);
  const steps: Step[] = [];
  let refused = false;
  for (const check of CHECKS) {
    const failure: CheckFailure | undefined = refused ? undefined : check.evaluate(checkInput);
    steps.push({
      check: check.name,
      outcome: refused ? 'not reached' : failure ? 'refused' : 'passed',
      message: saying(check.name, failure, loaded, caller, own),
      rule: failure?.rule,
    });
    refused ||= failure !== undefined;
  }
  const decision = evaluate(caller, own.target);
  const enforced = withoutConditions(loaded, caller, own).filter(({ isShadow }) => !isShadow);
  const open = enforced.map(({ source }) => source);
  return { target: targetLabel(own.target), decision, steps, rates: own.rates, open };
}

function withoutConditions(
  { cedarRules }: LoadedPolicy,
  caller: EvaluationContext,
  { target }: TargetPolicy,
): CedarRule[] {
  if (caller.environment.arguments) return [];
  const label = targetLabel(target);
  return cedarRules.filter(({ labels, needsArguments }) => needsArguments && labels.has(label));
}

function saying(
  name: CheckName,
  failure: CheckFailure | undefined,
  loaded: LoadedPolicy,
  caller: EvaluationContext,
  targetPolicy: TargetPolicy,
): string {
  const { effective, target } = targetPolicy;
  const { principal } = caller;
  const { scopes, roles, assurance } = effective.required;
  switch (name) {
    case 'allow-list':
      return effective.blockedBy === undefined
        ? 'every list names it'
        : `${effective.blockedBy} does not name it`;
    case 'roles':
      return `requires ${rolesText(roles)}; the principal has ${namesOf(principal.roles)}`;
    case 'person': {
      const workloads = target.rule.allowWorkload ? 'allows workloads' : 'requires a user';
      return `${workloads}; the principal is a ${principal.kind === 'human' ? 'user' : 'workload'}`;
    }
    case 'conditions': {
      if (failure)
        return `${failure.rule} denies the request${failure.message === undefined ? '' : `: ${failure.message}`}`;
      const own = loaded.cedarRules.filter(({ labels }) => labels.has(targetLabel(target)));
      const left = withoutConditions(loaded, caller, targetPolicy);
      const evaluated = own.filter((rule) => !left.includes(rule));
      const open = left.length > 0 ? `; ${sources(left)} not evaluated without --args` : '';
      return `${evaluated.length === 0 ? 'none' : `${sources(evaluated)}: no denial`}${open}`;
    }
    case 'authentication': {
      if (!assurance) return 'no requirement';
      const { acr, authenticatedAt: at } = principal;
      const login = at === null ? 'a login of unknown age' : `a login ${agoText(caller.environment.now, at)}`;
      return `requires ${assuranceText(assurance)}; the principal has ${login}${acr.length > 0 ? ` with acr ${acr.join(' ')}` : ''}`;
    }
    case 'scopes':
      return `requires ${listText(scopes)}; the principal has ${namesOf([...caller.scopes])}`;
  }
}

function sources(rules: readonly { readonly source: string }[]): string {
  return rules.map(({ source }) => source).join(', ');
}

function rolesText(groups: Requirements['roles']): string {
  return groups.length === 0 ? 'no role' : groups.map((group) => group.join(' or ')).join(', and ');
}

function assuranceText({ acr, maxAgeSeconds }: NonNullable<Requirements['assurance']>): string {
  const level = acr.length > 0 ? `a login with acr ${acr.join(' or ')}` : 'any login';
  return maxAgeSeconds === null ? level : `${level}, not older than ${maxAgeSeconds} s`;
}

function agoText(now: number, at: number): string {
  const seconds = Math.floor(now / 1000) - at;
  return seconds < 0 ? `${duration(-seconds)} in the future` : `${duration(seconds)} ago`;
}

function listText(items: readonly string[]): string {
  return items.length === 0 ? 'no scope' : items.join(' ');
}

function namesOf(items: readonly string[]): string {
  return items.length === 0 ? 'none' : items.join(' ');
}
