/** What decides at this deployment: what code declares, and what the operator asks for beyond it, laid side by side for each target. */
import type { Assurance, Requirements } from '../core/decision.js';
import type { Principal } from '../core/principal.js';
import type { JsonObject } from '../lib/json.js';
import type { ProtectedTarget } from './access-rule.js';
import type { RateClass } from './rates.js';

/** What one declaration, or one rule of the operator's, asks of a principal. Demands add up: all must be met. */
export interface Requirement extends Requirements {
  /** Where it stands, for people who ask why: `Class.method`, or `policy.yaml: ID`. */
  readonly source: string;
  /** Client ids of the workloads that may, of those that code lets in; undefined: this demand does not mind. */
  readonly workloads: ReadonlySet<string> | undefined;
}

/** Everything that is asked for one target. */
export interface EffectiveRules {
  /** The list that does not have it, or why it is withheld; undefined where it is open. */
  readonly blockedBy: string | undefined;
  /** Code's own first. */
  readonly requirements: readonly Requirement[];
  /** All demands as one. */
  readonly required: Requirements;
}

export interface TargetPolicy {
  readonly target: ProtectedTarget;
  readonly effective: EffectiveRules;
  /** With the shadow rules (`mode: shadow`) as if they counted. The same object where there is none. */
  readonly shadow: EffectiveRules;
  /** Enforced and in shadow mode; a class that counts for both is in it twice. */
  readonly rates: readonly RateClass[];
}

/** What is known of a request beside who asks and for what. */
export interface Environment {
  /** In milliseconds since the epoch. */
  readonly now: number;
  /** Where the request came from. */
  readonly ip: string;
  /** As the caller sent them. Undefined where the question is not about one call: a list, a completion. */
  readonly arguments?: JsonObject | undefined;
}

/** A rule that forbids, and what it says to the caller. */
export interface Failed {
  readonly rule: string;
  readonly message: string | undefined;
}

/** The operator's conditions (`*.cedar`). */
export interface Conditions {
  /**
   * For the questions of one caller: what is the same for all of them is worked out once.
   * @param shadow with the rules and the time zone in shadow mode as if they counted.
   */
  forCaller(
    principal: Principal,
    scopes: readonly string[],
    environment: Environment,
    shadow: boolean,
  ): CallerConditions;
}

export interface CallerConditions {
  /** The rule that forbids this target; where none can tell, what could not be evaluated. */
  failing(target: ProtectedTarget): Failed | undefined;
}

/** Members of `policy.yaml` that hold for all targets. */
export interface GeneralRules {
  /** What else a scope stands for, all the way down. */
  readonly impliedScopes: ReadonlyMap<string, readonly string[]>;
  /** A list also shows targets for which the caller lacks only scopes or assurance. */
  readonly listsObtainable: boolean;
}

export interface Policy extends GeneralRules {
  /** Of the operator's files; undefined where there are none. */
  readonly digest: string | undefined;
  /** Refuse a principal with no person at its root, unless the target says otherwise. */
  readonly requireHuman: boolean;
  /** By the name that allow-lists use. */
  readonly targets: ReadonlyMap<string, TargetPolicy>;
  readonly conditions: Conditions | undefined;
  /** With all shadow rules as if it counted; undefined where nothing is in shadow mode. */
  readonly shadow: GeneralRules | undefined;
}

/**
 * One demand that nothing meets without meeting all of them; null where none is made.
 * @returns the demands that contradict each other where no authentication would meet them all.
 */
export function strictestAssurance(
  requirements: readonly (Assurance | null)[],
): Assurance | null | 'contradiction' {
  const made = requirements.filter((one) => one !== null);
  if (made.length === 0) return null;
  const lists = made.map(({ acr }) => acr).filter((acr) => acr.length > 0);
  const ages = made.flatMap(({ maxAgeSeconds }) => maxAgeSeconds ?? []);
  // What comes last is what is nearest to the target: its order of preference is the one that stays.
  const acr = [...new Set(lists.at(-1))].filter((one) => lists.every((list) => list.includes(one)));
  if (lists.length > 0 && acr.length === 0) return 'contradiction';
  return { acr, maxAgeSeconds: ages.length > 0 ? Math.min(...ages) : null };
}
