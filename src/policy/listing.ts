/** A list is made of decisions: the same ones that calls get, as far as they can be made without arguments. Pure. */
import type { Decision } from '../common/decision.js';
import type { Listing } from '../common/exchange.js';
import type { ProtectedTarget } from './access-rule.js';
import { evaluate, type Caller } from './evaluate.js';

/** Denials that a new token of the same person could cure. */
const OBTAINABLE = ['scope_missing', 'assurance_insufficient'];

export function listed(caller: Caller, all: readonly ProtectedTarget[]): Listing {
  const { listsObtainable, hasTrials } = caller.policy;
  const decided = all.map((target) => ({ target, decision: evaluate(caller, target) }));
  const isShown = (decision: Decision) =>
    decision.effect === 'allow' || (listsObtainable && OBTAINABLE.includes(decision.reason));
  const shown = decided.filter(({ decision }) => isShown(decision));
  const wouldHide = shown.filter(({ decision }) => decision.effect === 'allow' && decision.shadow);
  return {
    shown: shown.map(({ target }) => target),
    hidden: all.length - shown.length,
    ...(hasTrials && { wouldHide: wouldHide.length }),
    ...(caller.policy.digest !== undefined && { policy: caller.policy.digest }),
  };
}
