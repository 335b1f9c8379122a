/** Suggests existing names for a mistyped one. Pure. */

/** Longer names are neither compared nor suggested. */
const MAX_LENGTH = 200;
const MAX_SUGGESTIONS = 3;
/** Maximum number of different names that are compared. */
const MAX_COMPARED = 100_000;

/** Collects the nearest of many names; memory is bounded by {@link MAX_COMPARED}. */
export class SimilarNames {
  private readonly compared = new Set<string>();
  private best: { readonly name: string; readonly distance: number }[] = [];

  /** @param wanted the mistyped name. */
  constructor(private readonly wanted: string) {}

  add(name: string): void {
    if (this.compared.has(name) || this.compared.size >= MAX_COMPARED) return;
    this.compared.add(name);
    const distance = nameDistance(this.wanted, name);
    if (distance === undefined) return;
    this.best = [...this.best, { name, distance }]
      .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
      .slice(0, MAX_SUGGESTIONS);
  }

  /** At most three names, the nearest first. */
  get names(): readonly string[] {
    return this.best.map(({ name }) => name);
  }
}

/** @returns at most three of the names, the nearest first. */
export function nearNames(wanted: string, names: Iterable<string>): readonly string[] {
  const near = new SimilarNames(wanted);
  for (const name of names) near.add(name);
  return near.names;
}

/**
 * Number of insertions, deletions, replacements and swaps (optimal string alignment), case-insensitive.
 * @returns undefined if more than a third of the letters differ and neither name begins with the other.
 */
export function nameDistance(one: string, other: string): number | undefined {
  if (one.length > MAX_LENGTH || other.length > MAX_LENGTH) return undefined;
  const [a, b] = [one.toLowerCase(), other.toLowerCase()];
  const shorter = Math.min(a.length, b.length);
  const most = Math.max(1, Math.floor(Math.max(a.length, b.length) / 3));
  const isBeginning = shorter >= 3 && (a.startsWith(b) || b.startsWith(a));
  if (Math.abs(a.length - b.length) > most) return isBeginning ? most + 1 : undefined;
  const distance = editDistance(a, b);
  if (distance <= most && distance < Math.max(a.length, b.length)) return distance;
  return isBeginning ? most + 1 : undefined;
}

function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const edited = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, replaced);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(isSwap ? Math.min(edited, (beforeLast[j - 2] as number) + 1) : edited);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length] as number;
}
