/** Decided and recorded list of a caller, for both paths. */
import type { AuthorizedRequest, Listing } from '../core/request-context.js';
import type { Target } from '../core/decision.js';
import type { JsonObject } from '../lib/json.js';
import type { ToolRegistry } from '../tools/tool-registry.js';

/** @throws Error if the list was not decided or not recorded: no answer is sent. */
export function recordedListing({ listing, audited }: AuthorizedRequest): Listing {
  if (!listing || !audited) throw new Error('A list was to be shown before it was decided and recorded');
  return listing;
}

/** Entry of a target in a list; undefined for a removed target. */
export function entryOf(registry: ToolRegistry, { kind, name }: Target): JsonObject | undefined {
  return registry.find(kind, name)?.entry;
}
