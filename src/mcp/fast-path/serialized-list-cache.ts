/** Lists as they are written: each entry once, and each list once for all who see the same. */
import type { Listing } from '../../core/request-context.js';
import type { Target } from '../../core/decision.js';
import type { JsonObject } from '../../lib/json.js';

export class SerializedListCache {
  private readonly entries = new WeakMap<JsonObject, string>();
  private readonly lists = new WeakMap<readonly Target[], string>();

  /** @param entryOf the entry of a target; undefined where it is gone. */
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
