/** Code's rules and the operator's, put together once, so that a decision only has to look. Pure. */
import { targetLabel, type Requirements } from '../common/decision.js';
import type { PolicySettings } from '../config/settings.js';
import type { ProtectedTarget } from './access-rule.js';
import { matchesLabel } from './label-pattern.js';
import type { Rate } from './rates.js';
import { closureOf, NO_OPERATOR_POLICY, POLICY_FILE, type OperatorPolicy } from './policy-file.js';
import {
  strictestAssurance,
  type Conditions,
  type Demand,
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
  const compiled = targets.map((target) => compileTarget(target, base, file, faults));
  return {
    digest: operator?.digest,
    requireHuman: base.requireHuman,
    targets: new Map(compiled.map((one) => [targetLabel(one.target), one])),
    impliedScopes: new Map(
      [...file.scopeImplies.keys()].map((scope) => [scope, closureOf(scope, file.scopeImplies)]),
    ),
    listsObtainable: file.listsObtainable,
    conditions: operator?.conditions,
    hasTrials: operator?.conditionsOnTrial === true || compiled.some(({ view, tried }) => view !== tried),
  };
}

function compileTarget(
  target: ProtectedTarget,
  base: Base,
  file: OperatorPolicy,
  faults: string[],
): TargetPolicy {
  const label = targetLabel(target);
  const own = file.rules.filter(({ match }) => match.some((pattern) => matchesLabel(pattern, label)));
  const isListed = base.allowList === '*' || base.allowList.has(label);
  const isOnFile = !file.allowList || file.allowList.some((pattern) => matchesLabel(pattern, label));
  const viewOf = (withTrials: boolean): View => {
    const demands = [demandOfCode(target), ...own.filter(({ onTrial }) => withTrials || !onTrial)];
    const assurance = strictestAssurance(demands.map((one) => one.assurance));
    if (assurance === 'contradiction') {
      faults.push(`${POLICY_FILE}: no authentication would meet all that is asked for ${label}: see acr`);
    }
    const required: Requirements = {
      scopes: [...new Set(demands.flatMap(({ scopes }) => scopes))],
      roles: demands.flatMap(({ roles }) => roles),
      assurance: assurance === 'contradiction' ? null : assurance,
    };
    const closedByFile = !isOnFile && (withTrials || !file.allowListOnTrial);
    const closedBy = !isListed
      ? 'TOOL_ALLOW_LIST'
      : (target.withheld ?? (closedByFile ? `${POLICY_FILE}: allow_list` : undefined));
    return { closedBy, demands, required };
  };
  const view = viewOf(false);
  const isTried = own.some(({ onTrial }) => onTrial) || (!isOnFile && file.allowListOnTrial);
  // A class that two rules name counts once.
  const rates = own
    .flatMap(({ rates: names, source }) => names.map((name) => ({ name, source })))
    .filter(({ name }, at, all) => all.findIndex((one) => one.name === name) === at)
    .map(({ name, source }) => ({ ...(file.rates.get(name) as Rate), source }));
  return { target, view, tried: isTried ? viewOf(true) : view, rates };
}

function demandOfCode({ rule }: ProtectedTarget): Demand {
  const { source, scopes, roles, assurance } = rule;
  return { source, scopes, roles, assurance, workloads: undefined };
}
