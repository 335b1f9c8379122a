/** Counts calls, and refuses those that are too many: together with the other instances where they share a database. */
import { Injectable } from '@nestjs/common';
import { hash } from 'node:crypto';
import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../common/app-error.js';
import { SharedDatabase, type QueryStore } from './shared-database.service.js';

/** Longer ones are quotas, which a restart must not give back. */
const SHORT_SECONDS = 60;

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
  shared?: RateLimiterPostgres;
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

  constructor(private readonly database: SharedDatabase) {}

  /**
   * @param who whatever names those that are counted together.
   * @throws AppError `rate_limited` (429) with the seconds to wait.
   */
  async count(limit: Limit, who: string): Promise<void> {
    const counter = this.counterOf(limit);
    const isKept = this.database.isShared || limit.seconds > SHORT_SECONDS;
    // Of one length, and nobody's name in a table.
    const key = isKept ? hash('sha256', who, 'base64url') : who;
    // Taken before anybody is asked: of two at once only one tells.
    const untold = isKept ? takeUntold(counter, key) : undefined;
    const asked = isKept
      ? await this.database.ask((store) =>
          consume(sharedOf(counter, limit, store), key, 1 + (untold?.calls ?? 0)),
        )
      : undefined;
    const { isOver, msBeforeNext } = asked?.answer ?? (await consume(counter.own, key));
    if (isKept && !asked) keepUntold(counter, key, untold, isOver ? 0 : 1, Date.now() + msBeforeNext);
    if (asked) await counter.own.set(key, asked.answer.consumed, Math.max(1, Math.ceil(msBeforeNext / 1000)));
    if (!isOver) return;
    throw new AppError('rate_limited', 'Too many requests', {
      status: 429,
      retryAfterSeconds: Math.max(1, Math.ceil(msBeforeNext / 1000)),
    });
  }

  private counterOf(limit: Limit): Counter {
    const known = this.counters.get(keyOf(limit));
    if (known) return known;
    const own = new RateLimiterMemory({ points: limit.calls, duration: limit.seconds });
    const made: Counter = { own, untold: new Map() };
    this.counters.set(keyOf(limit), made);
    return made;
  }
}

interface Counted {
  readonly isOver: boolean;
  readonly consumed: number;
  readonly msBeforeNext: number;
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

/** In the database a limit that is raised or lowered goes on from where it was. */
function sharedOf(counter: Counter, { name, calls, seconds }: Limit, store: QueryStore): RateLimiterPostgres {
  counter.shared ??= new RateLimiterPostgres({
    storeClient: store,
    storeType: 'pool',
    tableName: 'rate_counters',
    tableCreated: true,
    clearExpiredByTimeout: false,
    keyPrefix: `${name}/${seconds}`,
    points: calls,
    duration: seconds,
    // Who is over is known here until it ends: a flood of refused calls asks no database.
    inMemoryBlockOnConsumed: calls,
  });
  return counter.shared;
}

async function consume(
  limiter: RateLimiterMemory | RateLimiterPostgres,
  key: string,
  points = 1,
): Promise<Counted> {
  try {
    const { consumedPoints, msBeforeNext } = await limiter.consume(key, points);
    return { isOver: false, consumed: consumedPoints, msBeforeNext };
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    const consumed = Math.max(refusal.consumedPoints, limiter.points);
    return { isOver: true, consumed, msBeforeNext: refusal.msBeforeNext };
  }
}
