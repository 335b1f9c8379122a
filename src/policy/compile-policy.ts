/** Combines the access rules of code with the rules of the operator at load. Pure. */
import { targetLabel, type Requirements } from '../core/decision.js';
import type { PolicySettings } from '../config/settings.js';
import type { ProtectedTarget } from './access-rule.js';
import { matchesLabel } from './label-pattern.js';
import type { Rate, RateClass } from './rates.js';
import {
  closureOf,
  NO_OPERATOR_POLICY,
  POLICY_FILE,
  type OperatorPolicy,
  type OperatorRule,
} from './policy-file.js';
import {
  strictestAssurance,
  type Conditions,
  type Requirement,
  type GeneralRules,
  type Policy,
  type TargetPolicy,
  type EffectiveRules,
} from './policy.js';

/** Parsed and validated files of the operator. */
export interface OperatorParts {
  readonly digest: string;
  readonly policy: OperatorPolicy;
  readonly conditions: Conditions | undefined;
  /** True with a condition in shadow mode. */
  readonly conditionsShadow: boolean;
}

type Base = Pick<PolicySettings, 'allowList' | 'requireHuman'>;

/** @param faults receives rules that match no target or contradict the code. */
export function compilePolicy(
  base: Base,
  targets: readonly ProtectedTarget[],
  operator: OperatorParts | undefined,
  faults: string[],
): Policy {
  const file = operator?.policy ?? NO_OPERATOR_POLICY;
  const labels = targets.map(targetLabel);
  const fitsNothing = (pattern: string) => !labels.some((label) => matchesLabel(pattern, label));
  for (const rule of file.rules) {
    for (const pattern of rule.match.filter(fitsNothing)) {
      faults.push(`${POLICY_FILE}:${rule.line}: ${pattern} matches no target`);
    }
  }
  for (const pattern of (file.allowList ?? []).filter(fitsNothing)) {
    faults.push(`${POLICY_FILE}: allow_list: ${pattern} matches no target`);
  }
  const enforced = enforcedPart(file);
  const compiled = targets.map((target) => compileTarget(target, base, { file, enforced }, faults));
  const hasShadowRules =
    file.isShadow || operator?.conditionsShadow === true || file.rules.some(({ isShadow }) => isShadow);
  return {
    digest: operator?.digest,
    requireHuman: base.requireHuman,
    targets: new Map(compiled.map((one) => [targetLabel(one.target), one])),
    ...generalRules(enforced),
    conditions: operator?.conditions,
    shadow: hasShadowRules ? generalRules(file) : undefined,
  };
}

/** The file without shadow rules; empty for a file with `mode: shadow`. */
export function enforcedPart(file: OperatorPolicy): OperatorPolicy {
  if (file.isShadow) return NO_OPERATOR_POLICY;
  return { ...file, rules: file.rules.filter(({ isShadow }) => !isShadow) };
}

function generalRules({ scopeImplies, listsObtainable }: OperatorPolicy): GeneralRules {
  const closures = [...scopeImplies.keys()].map((scope) => [scope, closureOf(scope, scopeImplies)] as const);
  return { impliedScopes: new Map(closures), listsObtainable };
}

function compileTarget(
  target: ProtectedTarget,
  base: Base,
  { file, enforced }: { readonly file: OperatorPolicy; readonly enforced: OperatorPolicy },
  faults: string[],
): TargetPolicy {
  const label = targetLabel(target);
  const matches = (patterns: readonly string[]) => patterns.some((pattern) => matchesLabel(pattern, label));
  const isListed = base.allowList === '*' || base.allowList.has(label);
  const closes = ({ allowList }: OperatorPolicy) => allowList !== undefined && !matches(allowList);
  const viewOf = (part: OperatorPolicy): EffectiveRules => {
    const requirements = [requirementOfCode(target), ...part.rules.filter(({ match }) => matches(match))];
    const assurance = strictestAssurance(requirements.map((one) => one.assurance));
    if (assurance === 'contradiction') {
      faults.push(`${POLICY_FILE}: no login satisfies all requirements of ${label}: check acr`);
    }
    const required: Requirements = {
      scopes: [...new Set(requirements.flatMap(({ scopes }) => scopes))],
      roles: requirements.flatMap(({ roles }) => roles),
      assurance: assurance === 'contradiction' ? null : assurance,
    };
    const blockedBy = !isListed
      ? 'TOOL_ALLOW_LIST'
      : (target.withheld ?? (closes(part) ? `${POLICY_FILE}: allow_list` : undefined));
    return { blockedBy, requirements, required };
  };
  const effective = viewOf(enforced);
  const own = file.rules.filter(({ match }) => matches(match));
  const isShadow = own.some(({ isShadow }) => isShadow) || closes(file) !== closes(enforced);
  const counting = enforced.rules.filter(({ match }) => matches(match));
  const rates = [...classesOf(counting, file, false), ...classesOf(own, file, true)];
  return { target, effective, shadow: isShadow ? viewOf(file) : effective, rates };
}

/** @param isShadow selects classes of shadow rules: their counters count all calls that would count. */
function classesOf(own: readonly OperatorRule[], file: OperatorPolicy, isShadow: boolean): RateClass[] {
  const shadow = new Set(file.rules.filter((rule) => rule.isShadow).flatMap(({ rates }) => rates));
  return (
    own
      .flatMap(({ rates: names, source }) => names.map((name) => ({ name, source })))
      .filter(({ name }) => !isShadow || shadow.has(name))
      // A class of two rules counts once.
      .filter(({ name }, at, all) => all.findIndex((one) => one.name === name) === at)
      .map(({ name, source }) => ({ ...(file.rates.get(name) as Rate), source, isShadow }))
  );
}

function requirementOfCode({ rule }: ProtectedTarget): Requirement {
  const { source, scopes, roles, assurance } = rule;
  return { source, scopes, roles, assurance, workloads: undefined };
}
