/** Access rules of targets, as declared in code. */
import type { ListKind } from '../core/request-context.js';
import type { Requirements, Target, TargetKind } from '../core/decision.js';
import type { JsonObject } from '../lib/json.js';

export interface AccessRule extends Requirements {
  /** True only if the target declares `@AllowWorkload()`. */
  readonly allowWorkload: boolean;
  /** `Class.method` of the declaration, named in decisions. */
  readonly source: string;
}

/** An existing target with its access rule. */
export interface ProtectedTarget extends Target {
  readonly rule: AccessRule;
  /** JSON Schema of the arguments; unset for a target without arguments. */
  readonly inputSchema?: JsonObject;
  /** Properties transformed before the target sees them (`@Transform`, `@Type`). */
  readonly transformedProperties?: readonly string[];
  /** Variables of a resource template for this URI, as its method receives them. */
  readonly variablesOf?: (uri: string) => JsonObject;
  /** The target's own `readOnly` hint; not used for decisions. */
  readonly readOnly?: boolean;
  /** Cedar expressions from the declaration; all must hold. */
  readonly conditions?: readonly string[];
  /** Why the target is withheld; unset if it is available. */
  readonly withheld?: string;
}

/** All targets. Implemented by the registry of tools, resources and prompts. */
export interface TargetRegistry {
  find(kind: TargetKind, name: string): ProtectedTarget | undefined;
  /** The target that serves a resource URI; undefined if no target does. */
  findResourceByUri(uri: string): ProtectedTarget | undefined;
  /** In the order of a list response. */
  list(kind: ListKind): readonly ProtectedTarget[];
  all(): readonly ProtectedTarget[];
}

/** Injection token of the {@link TargetRegistry}. */
export const ACCESS_CATALOGUE = Symbol('AccessCatalogue');
