/** Selected records of several chains in time order: all, or the newest. */
import type { StoredRecord } from '../../audit/record.js';
import { find } from './find.js';
import type { Selection } from './selection.js';
import type { ChainFiles } from './sources.js';

export interface Found {
  readonly record: StoredRecord;
  /** Line of the record as written. */
  readonly text: string;
}

/** Oldest first, with constant memory. */
export async function* inOrder(chains: readonly ChainFiles[], selection: Selection): AsyncGenerator<Found> {
  const all = chains.map(({ files }) => find(files, selection));
  const heads = await Promise.all(all.map((one) => one.next()));
  for (;;) {
    let next = -1;
    for (const [at, head] of heads.entries()) {
      const first = heads[next];
      if (!head.done && (!first || first.done || head.value.record.time < first.value.record.time)) next = at;
    }
    const head = heads[next];
    if (!head || head.done) return;
    yield head.value;
    heads[next] = await (all[next] as AsyncGenerator<Found>).next();
  }
}

/**
 * Reads files from the newest, no further than needed.
 * @param most maximum number; determines the memory.
 * @returns the oldest first; `hasMore`: older ones were omitted.
 */
export async function newest(
  chains: readonly ChainFiles[],
  selection: Selection,
  most: number,
): Promise<{ readonly records: readonly Found[]; readonly hasMore: boolean }> {
  const lasts = await Promise.all(chains.map(({ files }) => lastOf(files, selection, most + 1)));
  const all = lasts.flat().sort(byTime);
  return { records: all.slice(Math.max(0, all.length - most)), hasMore: all.length > most };
}

async function lastOf(files: readonly string[], selection: Selection, most: number): Promise<Found[]> {
  let found: Found[] = [];
  for (const file of [...files].reverse()) {
    const kept = new NewestRecord<Found>(most - found.length);
    for await (const one of find([file], selection)) kept.add(one);
    found = [...kept.items, ...found];
    if (found.length >= most) break;
  }
  return found;
}

/** Last items of a sequence. */
export class NewestRecord<T> {
  private kept: T[] = [];

  /** @param most maximum number of items. */
  constructor(private readonly most: number) {}

  add(item: T): void {
    this.kept.push(item);
    // Removal in large steps avoids a copy per item.
    if (this.kept.length > 2 * this.most + 1_000) this.kept = this.items;
  }

  /** Oldest first. */
  get items(): T[] {
    return this.kept.slice(Math.max(0, this.kept.length - this.most));
  }
}

function byTime(a: Found, b: Found): number {
  if (a.record.time !== b.record.time) return a.record.time < b.record.time ? -1 : 1;
  return a.record.instance === b.record.instance ? a.record.seq - b.record.seq : 0;
}
