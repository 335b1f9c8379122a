/** What a target asks of a principal, as code declares it. */
import type { ListKind } from '../core/request-context.js';
import type { Requirements, Target, TargetKind } from '../core/decision.js';
import type { JsonObject } from '../lib/json.js';

export interface AccessRule extends Requirements {
  /** True only where the declaration says `@AllowWorkload()`. */
  readonly allowWorkload: boolean;
  /** `Class.method` that declares it, for people who ask why. */
  readonly source: string;
}

/** A target that exists, with its rule. */
export interface ProtectedTarget extends Target {
  readonly rule: AccessRule;
  /** JSON Schema of the arguments as a caller sends them; unset: it takes none. */
  readonly inputSchema?: JsonObject;
  /** The properties whose values are not given to the target as they were sent. */
  readonly transformedProperties?: readonly string[];
  /** Of a resource template: what its method is given for this URI, which may be spelled in other ways too. */
  readonly variablesOf?: (uri: string) => JsonObject;
  /** Its own word for it: a hint, which decides nothing. */
  readonly readOnly?: boolean;
  /** Cedar expressions that must all hold, said where it is declared. */
  readonly conditions?: readonly string[];
  /** Why nobody may have it for the time being, whatever the lists say; unset: nothing is wrong with it. */
  readonly withheld?: string;
}

/** Everything that can be asked for. The registry of tools, resources and prompts implements it. */
export interface TargetRegistry {
  find(kind: TargetKind, name: string): ProtectedTarget | undefined;
  /** Resources are asked for by URI: the provider that serves it, or undefined. */
  findResourceByUri(uri: string): ProtectedTarget | undefined;
  /** In the order in which a list shows them. */
  list(kind: ListKind): readonly ProtectedTarget[];
  all(): readonly ProtectedTarget[];
}

/** Injection token of the {@link TargetRegistry}. */
export const ACCESS_CATALOGUE = Symbol('AccessCatalogue');
