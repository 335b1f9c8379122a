/** What a target asks of a principal, as code declares it. */
import type { ListKind } from '../common/exchange.js';
import type { Requirements, Target, TargetKind } from '../common/decision.js';

export interface AccessRule extends Requirements {
  /** True only where the declaration says `@AllowWorkload()`. */
  readonly allowWorkload: boolean;
  /** `Class.method` that declares it, for people who ask why. */
  readonly source: string;
}

/** A target that exists, with its rule. */
export interface ProtectedTarget extends Target {
  readonly rule: AccessRule;
}

/** Everything that can be asked for. The registry of tools, resources and prompts implements it. */
export interface AccessCatalogue {
  find(kind: TargetKind, name: string): ProtectedTarget | undefined;
  /** Resources are asked for by URI: the provider that serves it, or undefined. */
  findResourceByUri(uri: string): ProtectedTarget | undefined;
  /** In the order in which a list shows them. */
  list(kind: ListKind): readonly ProtectedTarget[];
}

/** Injection token of the {@link AccessCatalogue}. */
export const ACCESS_CATALOGUE = Symbol('AccessCatalogue');
