/** Cache of serialized lists: each entry once, and each list once for all callers with the same list. */
import type { Listing } from '../../core/request-context.js';
import type { Target } from '../../core/decision.js';
import type { JsonObject } from '../../lib/json.js';

export class SerializedListCache {
  private readonly entries = new WeakMap<JsonObject, string>();
  private readonly lists = new WeakMap<readonly Target[], string>();

  /** @param entryOf entry of a target; undefined for a removed one. */
  of({ shown }: Listing, entryOf: (target: Target) => JsonObject | undefined): string {
    const known = this.lists.get(shown);
    if (known !== undefined) return known;
    const text = shown
      .map(entryOf)
      .filter((entry) => entry !== undefined)
      .map((entry) => this.entry(entry))
      .join(',');
    this.lists.set(shown, text);
    return text;
  }

  private entry(entry: JsonObject): string {
    const known = this.entries.get(entry);
    if (known !== undefined) return known;
    const text = JSON.stringify(entry);
    this.entries.set(entry, text);
    return text;
  }
}
