/** Copy of the shared counts and of the number of instances, for outages of the database. */
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { randomUUID } from 'node:crypto';
import { withTimeout } from '../lib/with-timeout.js';
import type { Place } from './fair-share.js';
import type { Counted } from './shared-counts.js';
import { SharedDatabaseService } from './shared-database.service.js';

/** Maximum age of the copy, plus the time of one query. */
const EVERY_MS = 250;
const RETRY_MS = 1_000;
/** An instance without a heartbeat for this time is not counted. */
const INSTANCE_MS = 10_000;
/** Maximum time between the timestamp of a statement and its commit. */
const OVERLAP_MS = 500;
/** Maximum changes per read; the oldest are skipped. */
const MAX_CHANGES = 10_000;
const MAX_KNOWN = 100_000;
const GOODBYE_MS = 500;

interface Known {
  readonly calls: number;
  /** Unix time in milliseconds. */
  readonly until: number;
}

type Row = Readonly<Record<string, unknown>>;

@Injectable()
export class SharedSnapshotService implements OnApplicationBootstrap, OnApplicationShutdown {
  /** Key of the heartbeat, a row in the counters table. */
  private readonly key = `instance/${randomUUID()}`;
  private readonly known = new LRUCache<string, Known>({ max: MAX_KNOWN });
  private timer: NodeJS.Timeout | undefined;
  private reading: Promise<void> | undefined;
  private closed = false;
  /** Time of the newest read change, by the clock of the database. */
  private newest = 0;
  private found: Place | undefined;
  private readonly listeners: (() => void)[] = [];

  constructor(private readonly database: SharedDatabaseService) {}

  onApplicationBootstrap(): void {
    if (this.database.isShared) this.next(0);
  }

  async onApplicationShutdown(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await withTimeout(this.reading ?? Promise.resolve(), GOODBYE_MS);
    if (!this.found) return;
    const goodbye = this.database.run(inSequence(`delete from rate_counters where key = '${this.key}'`));
    await withTimeout(
      goodbye.catch(() => undefined),
      GOODBYE_MS,
    );
  }

  /** Undefined before the first read: instances and counts are unknown. */
  get place(): Place | undefined {
    return this.database.isShared ? this.found : { instances: 1, rank: 0 };
  }

  /** Called after each successful read. */
  onRead(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Stores a count that the database has just returned. */
  note(key: string, { calls, msBeforeNext }: Counted): void {
    this.known.set(key, { calls, until: Date.now() + msBeforeNext });
  }

  /** Last known count of all instances. Undefined after the window, or if unknown. */
  of(key: string): Known | undefined {
    const found = this.known.get(key);
    return found && found.until > Date.now() ? found : undefined;
  }

  private next(milliseconds: number): void {
    if (this.closed) return;
    this.timer = setTimeout(() => {
      this.reading = this.read().then(
        () => this.next(EVERY_MS),
        // The first counted request reports the outage.
        () => this.next(RETRY_MS),
      );
    }, milliseconds).unref();
  }

  private async read(): Promise<void> {
    const clock = `(extract(epoch from clock_timestamp()) * 1000)::bigint`;
    const [, , instances, changes] = await this.database.run(
      inSequence(
        `insert into rate_counters (key, points, expire) values ('${this.key}', 0, ${clock} + ${INSTANCE_MS})
           on conflict (key) do update set expire = excluded.expire`,
        `select key from rate_counters where key like 'instance/%' and expire > ${clock} order by key collate "C"`,
        `select key, points, expire, changed from rate_counters
           where changed > ${this.newest - OVERLAP_MS} and expire > ${clock} order by changed desc limit ${MAX_CHANGES}`,
      ),
    );
    const rank = (instances ?? []).findIndex(({ key }) => key === this.key);
    if (rank >= 0) this.found = { instances: (instances ?? []).length, rank };
    for (const row of changes ?? []) this.take(row);
    for (const listener of this.listeners) listener();
  }

  private take({ key, points, expire, changed }: Row): void {
    this.newest = Math.max(this.newest, Number(changed));
    const [calls, until] = [Number(points), Number(expire)];
    const before = this.known.get(String(key));
    // A direct result may be newer than the snapshot.
    if (before && before.until === until && before.calls > calls) return;
    this.known.set(String(key), { calls, until });
  }
}

/** One transaction without waiting: a locked table is read the next time. */
function inSequence(...statements: readonly string[]): string {
  return ['lock table rate_counters in row exclusive mode nowait', ...statements].join(';\n');
}
