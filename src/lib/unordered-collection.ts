/**
 * Unordered collection with O(1) removal. Used in place of `Set` because V8 retains outgrown hash tables until the
 * next full collection.
 */
export class UnorderedCollection<T> {
  private readonly entries: { readonly item: T; at: number }[] = [];

  /** @returns a function that removes the item. */
  add(item: T): () => void {
    const { entries } = this;
    const entry = { item, at: entries.length };
    entries.push(entry);
    return () => {
      if (entries[entry.at] !== entry) return;
      const last = entries.pop();
      if (last === undefined || last === entry) return;
      entries[entry.at] = last;
      last.at = entry.at;
    };
  }

  /** Current items, in no order. */
  items(): T[] {
    return this.entries.map(({ item }) => item);
  }
}
