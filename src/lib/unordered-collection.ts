/**
 * What comes and goes with every request. Not a Set or a Map: V8 links the tables that one outgrows, and of such a chain
 * everything that was ever in it stays in memory until the next full collection, long after it was taken out.
 */
export class UnorderedCollection<T> {
  private readonly entries: { readonly item: T; at: number }[] = [];

  /** @returns takes it out. */
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

  /** What is in it now, in no order. */
  items(): T[] {
    return this.entries.map(({ item }) => item);
  }
}
