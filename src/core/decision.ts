/** Targets, requirements and decisions. */
import type { Reason } from './reasons.js';

/** Kind of a target. A resource is addressed by the name of its provider. */
export type TargetKind = 'tool' | 'resource' | 'prompt';

export interface Target {
  readonly kind: TargetKind;
  /** Registered name, or the requested name of an unknown target. */
  readonly name: string;
  /** Arguments that records contain in clear text. Default: none. */
  readonly recordedArguments?: readonly string[];
}

/** Label of a target in allow-lists, records and messages: `read_customer`, `prompt:greet`, `resource:handbook`. */
export function targetLabel(target: Target): string {
  return target.kind === 'tool' ? target.name : `${target.kind}:${target.name}`;
}

/** Required authentication of the user (RFC 9470). */
export interface Assurance {
  /** Accepted authentication contexts, the preferred one first. Empty: no requirement. */
  readonly acr: readonly string[];
  /** Maximum age of the authentication. Null: unlimited. */
  readonly maxAgeSeconds: number | null;
}

/** Requirements of a target. */
export interface Requirements {
  /** All are required. */
  readonly scopes: readonly string[];
  /** One role of each group is required; class and method each add a group. */
  readonly roles: readonly (readonly string[])[];
  /** Null: no requirement. */
  readonly assurance: Assurance | null;
}

/** The decision that shadow rules would have made. */
export interface Shadow {
  /** Null: allowed. */
  readonly reason: Reason | null;
  readonly rule: string;
}

interface Decided {
  /** Digest of the operator's policy. Absent without a policy. */
  readonly policy?: string;
  /** Absent if shadow rules would have made the same decision. */
  readonly shadow?: Shadow;
}

export interface Allow extends Decided {
  readonly effect: 'allow';
  readonly rule: string;
  readonly required: Requirements;
}

export interface Deny extends Decided {
  readonly effect: 'deny';
  readonly reason: Reason;
  /** Deciding rule: a decorated method or a rule of the operator. */
  readonly rule: string;
  readonly required: Requirements;
  readonly missing: Requirements;
  /** Public text of the rule for the caller. */
  readonly message?: string;
}

export type Decision = Allow | Deny;

export const NO_REQUIREMENTS: Requirements = { scopes: [], roles: [], assurance: null };
