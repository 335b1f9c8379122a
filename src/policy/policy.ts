/** The compiled policy: for each target, the requirements of code and of the operator. */
import type { Assurance, Requirements } from '../core/decision.js';
import type { Principal } from '../core/principal.js';
import type { JsonObject } from '../lib/json.js';
import type { ProtectedTarget } from './access-rule.js';
import type { RateClass } from './rates.js';

/** Requirements of one declaration or operator rule. All of them must be met. */
export interface Requirement extends Requirements {
  /** `Class.method` or `policy.yaml: ID`, named in decisions. */
  readonly source: string;
  /** Client ids of permitted workloads; undefined: no restriction. */
  readonly workloads: ReadonlySet<string> | undefined;
}

/** All requirements of one target. */
export interface EffectiveRules {
  /** The allow-list that excludes the target, or why it is withheld; undefined if available. */
  readonly blockedBy: string | undefined;
  /** Requirements of code first. */
  readonly requirements: readonly Requirement[];
  /** All requirements combined. */
  readonly required: Requirements;
}

export interface TargetPolicy {
  readonly target: ProtectedTarget;
  readonly effective: EffectiveRules;
  /** With shadow rules (`mode: shadow`) enforced. The same object if there are no shadow rules. */
  readonly shadow: EffectiveRules;
  /** Enforced and shadow classes. A class that counts for both appears twice. */
  readonly rates: readonly RateClass[];
}

/** Facts about a request besides principal and target. */
export interface Environment {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** IP address of the caller. */
  readonly ip: string;
  /** Arguments as sent by the caller; undefined for lists and completions. */
  readonly arguments?: JsonObject | undefined;
}

/** A failed rule and its message to the caller. */
export interface Failed {
  readonly rule: string;
  readonly message: string | undefined;
}

/** The operator's conditions (`*.cedar`). */
export interface Conditions {
  /**
   * Prepares the evaluation for one caller, so that shared values are computed once.
   * @param shadow evaluates with shadow rules and the shadow time zone enforced.
   */
  forCaller(
    principal: Principal,
    scopes: readonly string[],
    environment: Environment,
    shadow: boolean,
  ): CallerConditions;
}

export interface CallerConditions {
  /** The rule that denies this target, or the rule that could not be evaluated. */
  failing(target: ProtectedTarget): Failed | undefined;
}

/** Members of `policy.yaml` that apply to all targets. */
export interface GeneralRules {
  /** All scopes that a scope implies, directly or indirectly. */
  readonly impliedScopes: ReadonlyMap<string, readonly string[]>;
  /** Lists include targets for which the caller lacks only scopes or assurance. */
  readonly listsObtainable: boolean;
}

export interface Policy extends GeneralRules {
  /** Digest of the operator's files; undefined without files. */
  readonly digest: string | undefined;
  /** Denies principals without a user, unless the target allows workloads. */
  readonly requireHuman: boolean;
  /** Keyed by allow-list name. */
  readonly targets: ReadonlyMap<string, TargetPolicy>;
  readonly conditions: Conditions | undefined;
  /** With all shadow rules enforced; undefined without shadow rules. */
  readonly shadow: GeneralRules | undefined;
}

/**
 * Combines assurance requirements into one that satisfies all; null without requirements.
 * @returns `contradiction` if no authentication can satisfy all of them.
 */
export function strictestAssurance(
  requirements: readonly (Assurance | null)[],
): Assurance | null | 'contradiction' {
  const made = requirements.filter((one) => one !== null);
  if (made.length === 0) return null;
  const lists = made.map(({ acr }) => acr).filter((acr) => acr.length > 0);
  const ages = made.flatMap(({ maxAgeSeconds }) => maxAgeSeconds ?? []);
  // The last list is the most specific; its order of preference is kept.
  const acr = [...new Set(lists.at(-1))].filter((one) => lists.every((list) => list.includes(one)));
  if (lists.length > 0 && acr.length === 0) return 'contradiction';
  return { acr, maxAgeSeconds: ages.length > 0 ? Math.min(...ages) : null };
}
