/** The selected records of several chains in the order of time: all of them, or the newest. */
import type { StoredRecord } from '../../audit/record.js';
import { find } from './find.js';
import type { Selection } from './selection.js';
import type { ChainFiles } from './sources.js';

export interface Found {
  readonly record: StoredRecord;
  /** The line of the record, as written. */
  readonly text: string;
}

/** From the oldest on. Memory does not grow with the number of records. */
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
 * Files are read from the newest on, and no further than needed.
 * @param most how many; memory grows with it.
 * @returns the oldest of them first; `hasMore` says that older ones were left out.
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

/** The last items of a sequence. */
export class NewestRecord<T> {
  private kept: T[] = [];

  /** @param most how many are kept. */
  constructor(private readonly most: number) {}

  add(item: T): void {
    this.kept.push(item);
    // Cut in large steps: one step per item would copy all of them each time.
    if (this.kept.length > 2 * this.most + 1_000) this.kept = this.items;
  }

  /** The oldest first. */
  get items(): T[] {
    return this.kept.slice(Math.max(0, this.kept.length - this.most));
  }
}

function byTime(a: Found, b: Found): number {
  if (a.record.time !== b.record.time) return a.record.time < b.record.time ? -1 : 1;
  return a.record.instance === b.record.instance ? a.record.seq - b.record.seq : 0;
}
