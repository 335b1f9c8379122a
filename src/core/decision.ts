/** What the gate was asked, and what it answered. */
import type { Reason } from './reasons.js';

/** What a principal may ask for by name: a tool, a resource (by the name of its provider), a prompt. */
export type TargetKind = 'tool' | 'resource' | 'prompt';

export interface Target {
  readonly kind: TargetKind;
  /** The registered name. For something unknown: what the caller asked for. */
  readonly name: string;
  /** Arguments whose values go on record beside the digest of all of them; none where unset. */
  readonly recordedArguments?: readonly string[];
}

/** One spelling of a target for allow-lists, records and messages: `read_customer`, `prompt:greet`, `resource:handbook`. */
export function targetLabel(target: Target): string {
  return target.kind === 'tool' ? target.name : `${target.kind}:${target.name}`;
}

/** How, and how lately, the person behind a token must have authenticated (RFC 9470). */
export interface Assurance {
  /** Any of these contexts, the preferred one first; empty: whichever. */
  readonly acr: readonly string[];
  /** How long ago that may be at most; null: however long. */
  readonly maxAgeSeconds: number | null;
}

/** What a target asks of a principal. */
export interface Requirements {
  /** All of them. */
  readonly scopes: readonly string[];
  /** Any of each group: a class-level and a method-level demand must both be met. */
  readonly roles: readonly (readonly string[])[];
  /** Null: however the person authenticated. */
  readonly assurance: Assurance | null;
}

/** The decision that shadow rules would have made. */
export interface Shadow {
  /** Null: it would have been allowed. */
  readonly reason: Reason | null;
  readonly rule: string;
}

interface Decided {
  /** Digest of the operator's policy that decided; not there where there is none. */
  readonly policy?: string;
  /** Not there where shadow rules would have decided the same. */
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
  /** Where the rule that decided stands: a decorated method, or the operator's list. */
  readonly rule: string;
  readonly required: Requirements;
  readonly missing: Requirements;
  /** What the rule itself says to the caller. Public. */
  readonly message?: string;
}

export type Decision = Allow | Deny;

export const NO_REQUIREMENTS: Requirements = { scopes: [], roles: [], assurance: null };
