/** Derives a list from decisions: the same ones as for calls, without arguments. Pure. */
import type { Decision } from '../core/decision.js';
import type { Listing } from '../core/request-context.js';
import type { Reason } from '../core/reasons.js';
import type { ProtectedTarget } from './access-rule.js';
import { evaluate, type EvaluationContext } from './evaluate.js';
import type { GeneralRules } from './policy.js';

/** Denials that a new token of the same user could resolve. Earlier checks passed: roles, allow-list, conditions. */
const OBTAINABLE: readonly Reason[] = ['scope_missing', 'assurance_insufficient'];

export function listTargets(caller: EvaluationContext, all: readonly ProtectedTarget[]): Listing {
  const { policy } = caller;
  const decided = all.map((target) => {
    const decision = evaluate(caller, target);
    const isShown = isListed(decision, caller);
    const wouldBeShown = policy.shadow ? isVisible(triedReasonOf(decision), policy.shadow) : isShown;
    return { target, isShown, wouldBeShown };
  });
  const shown = decided.filter(({ isShown }) => isShown);
  const shadowHiddenCount = shown.filter(({ wouldBeShown }) => !wouldBeShown).length;
  const wouldShow = decided.filter(({ isShown, wouldBeShown }) => wouldBeShown && !isShown).length;
  return {
    shown: shown.map(({ target }) => target),
    hidden: all.length - shown.length,
    ...(policy.shadow && { shadowHiddenCount, ...(wouldShow > 0 && { wouldShow }) }),
    ...(policy.digest !== undefined && { policy: policy.digest }),
  };
}

/** True if the list of this caller shows the target. */
export function isListed(decision: Decision, { policy }: EvaluationContext): boolean {
  return isVisible(reasonOf(decision), policy);
}

/** @param reason null: allowed. */
function isVisible(reason: Reason | null, { listsObtainable }: GeneralRules): boolean {
  return reason === null || (listsObtainable && OBTAINABLE.includes(reason));
}

function reasonOf(decision: Decision): Reason | null {
  return decision.effect === 'allow' ? null : decision.reason;
}

function triedReasonOf(decision: Decision): Reason | null {
  return decision.shadow ? decision.shadow.reason : reasonOf(decision);
}
