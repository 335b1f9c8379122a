/** Counts in the database; requests during a query share the next one. */
import { Injectable } from '@nestjs/common';
import { SharedDatabaseService, type QueryStore } from './shared-database.service.js';

/** Maximum counts of one statement. */
const MAX_BATCH = 1_000;

/** An expired window starts again. Rows are locked in order, which prevents deadlocks between instances. */
const ADD = `
  insert into rate_counters as known (key, points, expire, changed)
  select key, points, expire, (extract(epoch from clock_timestamp()) * 1000)::bigint from unnest($1::text[], $2::int[], $3::bigint[]) as asked (key, points, expire)
  order by key
  on conflict (key) do update set
    points = case when known.expire <= $4 then excluded.points else known.points + excluded.points end,
    expire = case when known.expire <= $4 then excluded.expire else known.expire end,
    changed = excluded.changed
  returning key, points, expire`;

/** Additional calls of a key, in a window that starts with its first call. */
export interface Addition {
  /** Key of callers that are counted together; always with the same `seconds`. */
  readonly key: string;
  readonly calls: number;
  readonly seconds: number;
}

export interface Counted {
  /** Including these calls, without later ones. */
  readonly calls: number;
  /** Milliseconds until the window ends; at least 1. */
  readonly msBeforeNext: number;
}

interface Waiting {
  readonly addition: Addition;
  readonly done: (counted: Counted | undefined) => void;
  readonly failed: (error: unknown) => void;
}

@Injectable()
export class SharedCounts {
  private readonly waiting: Waiting[] = [];
  private isAsking = false;

  constructor(private readonly database: SharedDatabaseService) {}

  /** @returns undefined if the database does not answer. */
  async add(addition: Addition): Promise<Counted | undefined> {
    // During an outage one request probes the database alone.
    if (this.database.isDegraded) return (await this.ask([addition]))?.[0];
    const counted = new Promise<Counted | undefined>((done, failed) => {
      this.waiting.push({ addition, done, failed });
    });
    if (!this.isAsking) void this.askForAll();
    return counted;
  }

  private async askForAll(): Promise<void> {
    this.isAsking = true;
    // Collects requests that have already arrived.
    await new Promise(setImmediate);
    while (this.waiting.length > 0) {
      const some = this.waiting.splice(0, MAX_BATCH);
      try {
        const counted = await this.ask(some.map(({ addition }) => addition));
        some.forEach(({ done }, at) => done(counted?.[at]));
      } catch (error) {
        some.forEach(({ failed }) => failed(error));
      }
    }
    this.isAsking = false;
  }

  private async ask(additions: readonly Addition[]): Promise<Counted[] | undefined> {
    return (await this.database.withStore((store) => addAll(store, additions)))?.answer;
  }
}

async function addAll(store: QueryStore, additions: readonly Addition[]): Promise<Counted[]> {
  const now = Date.now();
  const sums = new Map<string, { calls: number; expire: number }>();
  // A statement updates a row once: additions of one key are combined.
  const before = additions.map(({ key, calls, seconds }) => {
    const sum = sums.get(key) ?? { calls: 0, expire: now + seconds * 1000 };
    sums.set(key, sum);
    sum.calls += calls;
    return sum.calls;
  });
  const { rows } = await store.query({
    name: 'add-counts',
    text: ADD,
    values: [
      [...sums.keys()],
      [...sums.values()].map(({ calls }) => calls),
      [...sums.values()].map(({ expire }) => expire),
      now,
    ],
  });
  const answered = Date.now();
  const found = new Map(rows.map((row) => [row.key, row]));
  return additions.map(({ key }, at) => {
    const [row, sum] = [found.get(key), sums.get(key)];
    if (!row || !sum) throw new Error('The database returned no count');
    return {
      calls: Number(row.points) - sum.calls + (before[at] as number),
      msBeforeNext: Math.max(1, Number(row.expire) - answered),
    };
  });
}
