/** Counts calls and denies those over a limit, together with instances on the same database. */
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

/** Longer limits are quotas, which survive a restart. */
const SHORT_SECONDS = 60;
/** Cached exhausted keys; for others the database is asked. */
const MAX_OVER = 10_000;
/** Wait for a quota before the first contact with the database. */
const UNKNOWN_RETRY_MS = 10_000;

/** Calls per window; the window starts with the first call. */
export interface Limit {
  /** Unique within the application. */
  readonly name: string;
  readonly calls: number;
  readonly seconds: number;
}

interface Counter {
  readonly limit: Limit;
  /** Complete counter for a short limit of a single instance. */
  readonly own: RateLimiterMemory;
  /** Exhausted keys until the window ends: denied calls need no database query. */
  readonly exhaustedKeys: LRUCache<string, true>;
  /** Local calls during an outage of the database. */
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
   * @param who identifies callers that are counted together.
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
   * Like {@link count}, without denial.
   * @returns true if {@link count} would have denied the call.
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
    // A hash has a fixed length and hides names. A changed limit keeps its count.
    const key = `${limit.name}/${limit.seconds}:${hash('sha256', who, 'base64url')}`;
    const msOver = exhaustedKeys.getRemainingTTL(key);
    if (msOver > 0) return { calls: limit.calls + 1, msBeforeNext: msOver };
    const counted = await this.persist(counter, key, 1);
    if (!counted) return this.countAlone(pendingIncrements, limit, key);
    if (counted.calls >= limit.calls) exhaustedKeys.set(key, true, { ttl: counted.msBeforeNext });
    return counted;
  }

  /** Counts in the database, including local calls of an outage. */
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

  /** The database is back: reports local calls before the same caller returns. */
  private persistPending(): void {
    for (const counter of this.quotas.values()) {
      for (const key of counter.pendingIncrements.pending(Date.now())) {
        // After a failure they are reported at the next contact.
        this.persist(counter, key, 0).catch(() => undefined);
      }
    }
  }

  /** During an outage this instance allows its share of the remaining calls. */
  private countAlone(pendingIncrements: PendingIncrements, limit: Limit, key: string): Counted {
    const now = Date.now();
    const [known, passed] = [this.snapshot.of(key), pendingIncrements.of(key, now)];
    const { place } = this.snapshot;
    const refused = (msBeforeNext: number) => ({ calls: limit.calls + 1, msBeforeNext });
    // Counts and instances are unknown. A restart must not reset a quota.
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
