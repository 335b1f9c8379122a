/** Counts calls, and refuses those that are too many: together with the other instances where they share a database. */
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { hash } from 'node:crypto';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../core/app-error.js';
import { shareOf } from './fair-share.js';
import { SharedCounts, type Counted } from './shared-counts.js';
import { SharedDatabaseService } from './shared-database.service.js';
import { SharedSnapshotService } from './shared-snapshot.service.js';
import { PendingIncrements } from './pending-increments.js';

/** Longer ones are quotas, which a restart must not give back. */
const SHORT_SECONDS = 60;
/** Those who are known to be over; of whoever is forgotten the database is asked again. */
const MAX_OVER = 10_000;
/** For a quota of an instance that has not reached the database since its start. */
const UNKNOWN_RETRY_MS = 10_000;

/** So many in so much time, from the first one on. */
export interface Limit {
  /** No two limits of one application share one. */
  readonly name: string;
  readonly calls: number;
  readonly seconds: number;
}

interface Counter {
  readonly limit: Limit;
  /** All there is for a short limit of one instance. */
  readonly own: RateLimiterMemory;
  /** Who has had all there is, until it starts again: a flood of refused calls asks no database. */
  readonly exhaustedKeys: LRUCache<string, true>;
  /** Passed here while the database did not answer. */
  readonly pendingIncrements: PendingIncrements;
}

@Injectable()
export class QuotaService {
  private readonly quotas = new Map<string, Counter>();

  constructor(
    private readonly database: SharedDatabaseService,
    private readonly shared: SharedCounts,
    private readonly snapshot: SharedSnapshotService,
  ) {
    snapshot.onRead(() => this.persistPending());
  }

  /**
   * @param who whatever names those that are counted together.
   * @throws AppError `rate_limited` (429) with the seconds to wait.
   */
  async count(limit: Limit, who: string): Promise<void> {
    const { calls, msBeforeNext } = await this.add(limit, who);
    if (calls <= limit.calls) return;
    throw new AppError('rate_limited', 'Too many requests', {
      status: 429,
      retryAfterSeconds: Math.max(1, Math.ceil(msBeforeNext / 1000)),
    });
  }

  /**
   * Counts like {@link count}, and refuses nothing.
   * @returns whether {@link count} would have refused.
   */
  async countShadow(limit: Limit, who: string): Promise<boolean> {
    const { calls } = await this.add(limit, who);
    return calls > limit.calls;
  }

  private async add(limit: Limit, who: string): Promise<Counted> {
    const counter = this.counterOf(limit);
    const isKept = this.database.isShared || limit.seconds > SHORT_SECONDS;
    return isKept ? this.countPersisted(counter, limit, who) : addOwn(counter.own, who);
  }

  private async countPersisted(counter: Counter, limit: Limit, who: string): Promise<Counted> {
    const { exhaustedKeys, pendingIncrements } = counter;
    // Of one length, and nobody's name in a table. A limit that is raised or lowered goes on from where it was.
    const key = `${limit.name}/${limit.seconds}:${hash('sha256', who, 'base64url')}`;
    const msOver = exhaustedKeys.getRemainingTTL(key);
    if (msOver > 0) return { calls: limit.calls + 1, msBeforeNext: msOver };
    const counted = await this.persist(counter, key, 1);
    if (!counted) return this.countAlone(pendingIncrements, limit, key);
    if (counted.calls >= limit.calls) exhaustedKeys.set(key, true, { ttl: counted.msBeforeNext });
    return counted;
  }

  /** Counts further calls in the database, with those that passed while it was away. */
  private async persist(
    { pendingIncrements, limit }: Counter,
    key: string,
    more: number,
  ): Promise<Counted | undefined> {
    const telling = pendingIncrements.take(key, Date.now());
    let counted: Counted | undefined;
    try {
      counted = await this.shared.add({ key, calls: more + telling, seconds: limit.seconds });
    } finally {
      if (!counted) pendingIncrements.giveBack(key, telling);
    }
    if (!counted) return undefined;
    pendingIncrements.confirm(key, telling);
    this.snapshot.note(key, counted);
    return counted;
  }

  /** The database is back: the other instances are to know what passed here, before the same caller comes again. */
  private persistPending(): void {
    for (const counter of this.quotas.values()) {
      for (const key of counter.pendingIncrements.pending(Date.now())) {
        // A failure gives them back: the next time that the database answers they are told.
        this.persist(counter, key, 0).catch(() => undefined);
      }
    }
  }

  /** Without the database: this instance passes its share of the calls that the limit had left, and no more. */
  private countAlone(pendingIncrements: PendingIncrements, limit: Limit, key: string): Counted {
    const now = Date.now();
    const [known, passed] = [this.snapshot.of(key), pendingIncrements.of(key, now)];
    const { place } = this.snapshot;
    const refused = (msBeforeNext: number) => ({ calls: limit.calls + 1, msBeforeNext });
    // Neither the counts nor the other instances are known. A quota is not begun anew by a restart.
    if (!place && limit.seconds > SHORT_SECONDS) return refused(UNKNOWN_RETRY_MS);
    const before = known?.calls ?? 0;
    const share = shareOf(limit.calls - before, place ?? { instances: 1, rank: 0 });
    const until = passed?.until ?? known?.until ?? now + limit.seconds * 1000;
    const calls = passed?.calls ?? 0;
    if (calls >= share) return refused(until - now);
    pendingIncrements.add(key, until, now);
    return { calls: before + calls + 1, msBeforeNext: until - now };
  }

  private counterOf(limit: Limit): Counter {
    const known = this.quotas.get(keyOf(limit));
    if (known) return known;
    const made: Counter = {
      limit,
      own: new RateLimiterMemory({ points: limit.calls, duration: limit.seconds }),
      exhaustedKeys: new LRUCache({ max: MAX_OVER }),
      pendingIncrements: new PendingIncrements(),
    };
    this.quotas.set(keyOf(limit), made);
    return made;
  }
}

function keyOf({ name, calls, seconds }: Limit): string {
  return `${name} ${calls}/${seconds}`;
}

async function addOwn(limiter: RateLimiterMemory, key: string): Promise<Counted> {
  try {
    const { consumedPoints, msBeforeNext } = await limiter.consume(key);
    return { calls: consumedPoints, msBeforeNext };
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    return { calls: refusal.consumedPoints, msBeforeNext: refusal.msBeforeNext };
  }
}
