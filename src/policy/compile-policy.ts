/** Code's rules and the operator's, put together once, so that a decision only has to look. Pure. */
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
  type Demand,
  type GeneralRules,
  type Policy,
  type TargetPolicy,
  type View,
} from './policy.js';

/** What the operator's files hold, read and checked each for itself. */
export interface OperatorParts {
  readonly digest: string;
  readonly policy: OperatorPolicy;
  readonly conditions: Conditions | undefined;
  /** Whether one of the conditions is on trial. */
  readonly conditionsOnTrial: boolean;
}

type Base = Pick<PolicySettings, 'allowList' | 'requireHuman'>;

/** @param faults what of the operator's rules fits nothing, or contradicts what code declares. */
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
      faults.push(`${POLICY_FILE}:${rule.line}: ${pattern} is the name of nothing that this server has`);
    }
  }
  for (const pattern of (file.allowList ?? []).filter(fitsNothing)) {
    faults.push(`${POLICY_FILE}: allow_list: ${pattern} is the name of nothing that this server has`);
  }
  const enforced = enforcedPart(file);
  const compiled = targets.map((target) => compileTarget(target, base, { file, enforced }, faults));
  const hasTrials =
    file.onTrial || operator?.conditionsOnTrial === true || file.rules.some(({ onTrial }) => onTrial);
  return {
    digest: operator?.digest,
    requireHuman: base.requireHuman,
    targets: new Map(compiled.map((one) => [targetLabel(one.target), one])),
    ...generalRules(enforced),
    conditions: operator?.conditions,
    tried: hasTrials ? generalRules(file) : undefined,
  };
}

/** The file without everything on trial; of a file with `mode: shadow` no member remains. */
export function enforcedPart(file: OperatorPolicy): OperatorPolicy {
  if (file.onTrial) return NO_OPERATOR_POLICY;
  return { ...file, rules: file.rules.filter(({ onTrial }) => !onTrial) };
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
  const viewOf = (part: OperatorPolicy): View => {
    const demands = [demandOfCode(target), ...part.rules.filter(({ match }) => matches(match))];
    const assurance = strictestAssurance(demands.map((one) => one.assurance));
    if (assurance === 'contradiction') {
      faults.push(`${POLICY_FILE}: no authentication would meet all that is asked for ${label}: see acr`);
    }
    const required: Requirements = {
      scopes: [...new Set(demands.flatMap(({ scopes }) => scopes))],
      roles: demands.flatMap(({ roles }) => roles),
      assurance: assurance === 'contradiction' ? null : assurance,
    };
    const closedBy = !isListed
      ? 'TOOL_ALLOW_LIST'
      : (target.withheld ?? (closes(part) ? `${POLICY_FILE}: allow_list` : undefined));
    return { closedBy, demands, required };
  };
  const view = viewOf(enforced);
  const own = file.rules.filter(({ match }) => matches(match));
  const isTried = own.some(({ onTrial }) => onTrial) || closes(file) !== closes(enforced);
  const counting = enforced.rules.filter(({ match }) => matches(match));
  const rates = [...classesOf(counting, file, false), ...classesOf(own, file, true)];
  return { target, view, tried: isTried ? viewOf(file) : view, rates };
}

/** @param onTrial of the classes that some rule on trial names: their counters count all calls that would count. */
function classesOf(own: readonly OperatorRule[], file: OperatorPolicy, onTrial: boolean): RateClass[] {
  const tried = new Set(file.rules.filter((rule) => rule.onTrial).flatMap(({ rates }) => rates));
  return (
    own
      .flatMap(({ rates: names, source }) => names.map((name) => ({ name, source })))
      .filter(({ name }) => !onTrial || tried.has(name))
      // A class that two rules name counts once.
      .filter(({ name }, at, all) => all.findIndex((one) => one.name === name) === at)
      .map(({ name, source }) => ({ ...(file.rates.get(name) as Rate), source, onTrial }))
  );
}

function demandOfCode({ rule }: ProtectedTarget): Demand {
  const { source, scopes, roles, assurance } = rule;
  return { source, scopes, roles, assurance, workloads: undefined };
}
