/** Policy of this deployment: declared access rules and rules of the operator, by target. */
import type { Assurance, Requirements } from '../core/decision.js';
import type { Principal } from '../core/principal.js';
import type { JsonObject } from '../lib/json.js';
import type { ProtectedTarget } from './access-rule.js';
import type { RateClass } from './rates.js';

/** Requirements of one declaration or rule. All must be met. */
export interface Requirement extends Requirements {
  /** Source: `Class.method`, or `policy.yaml: ID`. */
  readonly source: string;
  /** Admitted client ids of workloads, among those that code admits; undefined: no restriction. */
  readonly workloads: ReadonlySet<string> | undefined;
}

/** All requirements of one target. */
export interface EffectiveRules {
  /** Allow-list that excludes the target, or the cause of its withholding; otherwise undefined. */
  readonly blockedBy: string | undefined;
  /** That of the code first. */
  readonly requirements: readonly Requirement[];
  /** All requirements combined. */
  readonly required: Requirements;
}

export interface TargetPolicy {
  readonly target: ProtectedTarget;
  readonly effective: EffectiveRules;
  /** With shadow rules applied. The same object without shadow rules. */
  readonly shadow: EffectiveRules;
  /** Enforced and shadow classes; a class in both occurs twice. */
  readonly rates: readonly RateClass[];
}

/** Facts of a request beside caller and target. */
export interface Environment {
  /** Unix time in milliseconds. */
  readonly now: number;
  /** Address of the client. */
  readonly ip: string;
  /** As sent. Undefined for lists and completions. */
  readonly arguments?: JsonObject | undefined;
}

/** Forbidding rule with its message for the caller. */
export interface Failed {
  readonly rule: string;
  readonly message: string | undefined;
}

/** Conditions of the operator (`*.cedar`). */
export interface Conditions {
  /**
   * Prepares the evaluation for one caller.
   * @param shadow with shadow rules and time zone applied.
   */
  forCaller(
    principal: Principal,
    scopes: readonly string[],
    environment: Environment,
    shadow: boolean,
  ): CallerConditions;
}

export interface CallerConditions {
  /** Rule that forbids this target, or the condition that failed to evaluate. */
  failing(target: ProtectedTarget): Failed | undefined;
}

/** Members of `policy.yaml` for all targets. */
export interface GeneralRules {
  /** All implied scopes, transitively. */
  readonly impliedScopes: ReadonlyMap<string, readonly string[]>;
  /** Lists also show targets that lack only scopes or assurance. */
  readonly listsObtainable: boolean;
}

export interface Policy extends GeneralRules {
  /** Digest of the operator's files; undefined without files. */
  readonly digest: string | undefined;
  /** Deny principals without a user, unless the target admits workloads. */
  readonly requireHuman: boolean;
  /** By label. */
  readonly targets: ReadonlyMap<string, TargetPolicy>;
  readonly conditions: Conditions | undefined;
  /** With shadow rules applied; undefined without shadow rules. */
  readonly shadow: GeneralRules | undefined;
}

/**
 * Strictest combination of requirements; null without a requirement.
 * @returns the contradicting requirements if no authentication satisfies all.
 */
export function strictestAssurance(
  requirements: readonly (Assurance | null)[],
): Assurance | null | 'contradiction' {
  const made = requirements.filter((one) => one !== null);
  if (made.length === 0) return null;
  const lists = made.map(({ acr }) => acr).filter((acr) => acr.length > 0);
  const ages = made.flatMap(({ maxAgeSeconds }) => maxAgeSeconds ?? []);
  // The requirement nearest to the target determines the order of preference.
  const acr = [...new Set(lists.at(-1))].filter((one) => lists.every((list) => list.includes(one)));
  if (lists.length > 0 && acr.length === 0) return 'contradiction';
  return { acr, maxAgeSeconds: ages.length > 0 ? Math.min(...ages) : null };
}
