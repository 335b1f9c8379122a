/** Counts calls, and refuses those that are too many: together with the other instances where they share a database. */
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { hash } from 'node:crypto';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../common/app-error.js';
import { SharedCounts, type Counted } from './shared-counts.js';
import { SharedDatabase } from './shared-database.service.js';

/** Longer ones are quotas, which a restart must not give back. */
const SHORT_SECONDS = 60;
/** Those who are known to be over; of whoever is forgotten the database is asked again. */
const MAX_OVER = 10_000;

/** So many in so much time, from the first one on. */
export interface Limit {
  /** No two limits of one application share one. */
  readonly name: string;
  readonly calls: number;
  readonly seconds: number;
}

interface Counter {
  /** What is known here: all there is for a short limit of one instance; elsewhere what holds while the database does not answer. */
  readonly own: RateLimiterMemory;
  /** Who has had all there is, until it starts again: a flood of refused calls asks no database. */
  readonly over: LRUCache<string, true>;
  /** What was let pass here while the database did not answer, which it is told when it does. */
  readonly untold: Map<string, Untold>;
}

interface Untold {
  readonly calls: number;
  /** From then on it counts no more; in milliseconds since the epoch. */
  readonly until: number;
}

/** Beyond this, what is over is looked for and forgotten. */
const MAX_UNTOLD = 10_000;

@Injectable()
export class Counters {
  private readonly counters = new Map<string, Counter>();

  constructor(
    private readonly database: SharedDatabase,
    private readonly shared: SharedCounts,
  ) {}

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
  async countOnTrial(limit: Limit, who: string): Promise<boolean> {
    const { calls } = await this.add(limit, who);
    return calls > limit.calls;
  }

  private async add(limit: Limit, who: string): Promise<Counted> {
    const counter = this.counterOf(limit);
    const isKept = this.database.isShared || limit.seconds > SHORT_SECONDS;
    return isKept ? this.countKept(counter, limit, who) : addOwn(counter.own, who);
  }

  private async countKept(counter: Counter, limit: Limit, who: string): Promise<Counted> {
    const { own, over } = counter;
    // Of one length, and nobody's name in a table.
    const key = hash('sha256', who, 'base64url');
    const msOver = over.getRemainingTTL(key);
    if (msOver > 0) return { calls: limit.calls + 1, msBeforeNext: msOver };
    // Taken before anybody is asked: of two at once only one tells.
    const untold = takeUntold(counter, key);
    const counted = await this.shared.add({
      // A limit that is raised or lowered goes on from where it was.
      key: `${limit.name}/${limit.seconds}:${key}`,
      calls: 1 + (untold?.calls ?? 0),
      seconds: limit.seconds,
    });
    if (!counted) {
      const known = await addOwn(own, key);
      const passed = known.calls <= limit.calls ? 1 : 0;
      keepUntold(counter, key, untold, passed, Date.now() + known.msBeforeNext);
      return known;
    }
    await own.set(key, counted.calls, Math.max(1, Math.ceil(counted.msBeforeNext / 1000)));
    if (counted.calls >= limit.calls) over.set(key, true, { ttl: counted.msBeforeNext });
    return counted;
  }

  private counterOf(limit: Limit): Counter {
    const known = this.counters.get(keyOf(limit));
    if (known) return known;
    const made: Counter = {
      own: new RateLimiterMemory({ points: limit.calls, duration: limit.seconds }),
      over: new LRUCache({ max: MAX_OVER }),
      untold: new Map(),
    };
    this.counters.set(keyOf(limit), made);
    return made;
  }
}

function takeUntold({ untold }: Counter, key: string): Untold | undefined {
  const found = untold.get(key);
  untold.delete(key);
  return found && found.until > Date.now() ? found : undefined;
}

function keepUntold(
  { untold }: Counter,
  key: string,
  taken: Untold | undefined,
  calls: number,
  until: number,
): void {
  const more = calls + (taken?.calls ?? 0);
  if (more === 0) return;
  if (untold.size >= MAX_UNTOLD) {
    for (const [other, one] of untold) if (one.until <= Date.now()) untold.delete(other);
  }
  // Others may have been let pass while this one was asked for.
  untold.set(key, { calls: more + (untold.get(key)?.calls ?? 0), until });
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
