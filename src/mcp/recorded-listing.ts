/** The list that a caller sees, on either path: decided, and on record. */
import type { AuthorizedRequest, Listing } from '../core/request-context.js';
import type { Target } from '../core/decision.js';
import type { JsonObject } from '../lib/json.js';
import type { ToolRegistry } from '../tools/tool-registry.js';

/** @throws Error where the list was not decided or not recorded: a bug, and so no answer. */
export function recordedListing({ listing, audited }: AuthorizedRequest): Listing {
  if (!listing || !audited) throw new Error('A list was to be shown before it was decided and recorded');
  return listing;
}

/** The entry of a target in a list; undefined where the target is gone. */
export function entryOf(registry: ToolRegistry, { kind, name }: Target): JsonObject | undefined {
  return registry.find(kind, name)?.entry;
}
