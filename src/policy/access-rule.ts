/** Access rule of a target, as declared in code. */
import type { ListKind } from '../core/request-context.js';
import type { Requirements, Target, TargetKind } from '../core/decision.js';
import type { JsonObject } from '../lib/json.js';

export interface AccessRule extends Requirements {
  /** True with `@AllowWorkload()` only. */
  readonly allowWorkload: boolean;
  /** Declaring `Class.method`, for explanations. */
  readonly source: string;
}

/** A registered target with its rule. */
export interface ProtectedTarget extends Target {
  readonly rule: AccessRule;
  /** JSON Schema of the arguments as callers send them; unset: no arguments. */
  readonly inputSchema?: JsonObject;
  /** Properties transformed before the tool sees them (`@Transform`, `@Type`). */
  readonly transformedProperties?: readonly string[];
  /** Decoded variables of a resource template for a URI, which has several spellings. */
  readonly variablesOf?: (uri: string) => JsonObject;
  /** Declared hint without effect on decisions. */
  readonly readOnly?: boolean;
  /** Declared Cedar expressions, all of which must hold. */
  readonly conditions?: readonly string[];
  /** Cause if the target is withheld from every caller; unset otherwise. */
  readonly withheld?: string;
}

/** All registered targets. The tool registry implements it. */
export interface TargetRegistry {
  find(kind: TargetKind, name: string): ProtectedTarget | undefined;
  /** Provider of a resource URI, or undefined. */
  findResourceByUri(uri: string): ProtectedTarget | undefined;
  /** In list order. */
  list(kind: ListKind): readonly ProtectedTarget[];
  all(): readonly ProtectedTarget[];
}

/** Injection token of the {@link TargetRegistry}. */
export const ACCESS_CATALOGUE = Symbol('AccessCatalogue');
