/** Database of shared counters. During an outage this instance counts alone; both changes are recorded. */
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { CompiledQuery } from 'kysely';
import type pg from 'pg';
import { EventLogger } from '../core/event-logger.js';
import { AuditService } from '../audit/audit.service.js';
import { startPoller, type Poller } from '../lib/poller.js';
import { withDeadline, withTimeout } from '../lib/with-timeout.js';
import type { Settings } from '../config/settings.js';
import { Database } from '../storage/database.js';
import { openPool, type PoolOptions } from '../storage/pool.js';
import { publicReason } from '../storage/public-reason.js';

/** Wait of a request for its count; later requests do not wait. */
const PATIENCE_MS = 1_000;
/** Separate pool: busy connections of tools must not delay counting. */
const POOL: PoolOptions = {
  name: 'counting',
  size: 4,
  connectMs: PATIENCE_MS,
  statementMs: PATIENCE_MS,
  answerMs: PATIENCE_MS,
  // Counts may be lost in a crash of the database; requests do not wait for its disk.
  prepare: 'set synchronous_commit = off',
};
/** Minimum interval of probes during an outage. */
const RETRY_MS = 1_000;
const TIDY_MS = 60_000;

export interface QueryStore {
  query(query: Query): Promise<{ rows: Readonly<Record<string, unknown>>[] }>;
}

interface Query {
  /** Name of the prepared statement. */
  readonly name?: string;
  readonly text: string;
  readonly values: unknown[];
}

/** `degraded`: the database does not answer, and this instance counts alone. */
export type StoreState = 'shared' | 'degraded';

export interface RateLimitStoreStatus {
  readonly state: StoreState;
  /** RFC 3339. */
  readonly since: string;
}

@Injectable()
export class SharedDatabaseService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new EventLogger('RateLimitStore');
  private readonly databaseUrl: string | undefined;
  private readonly pool: pg.Pool | undefined;
  private readonly store: QueryStore;
  private opened: Promise<unknown> | undefined;
  private degraded = false;
  private since = Date.now();
  private retryAt = 0;
  private tidying: Poller | undefined;

  constructor(
    config: ConfigService<Settings, true>,
    private readonly database: Database,
    private readonly audit: AuditService,
  ) {
    this.databaseUrl = config.get('storage', { infer: true }).databaseUrl;
    this.pool = this.databaseUrl === undefined ? undefined : openPool(this.databaseUrl, POOL);
    this.store = this.pool ?? {
      query: async ({ text, values }) =>
        (await database.get()).executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, values)),
    };
  }

  /** True if other instances use the same database. */
  get isShared(): boolean {
    return this.pool !== undefined;
  }

  /** True if the last query failed. */
  get isDegraded(): boolean {
    return this.degraded;
  }

  onApplicationBootstrap(): void {
    this.tidying = startPoller(() => this.tidy(), TIDY_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    this.tidying?.stop();
    await withTimeout(this.pool?.end() ?? Promise.resolve(), PATIENCE_MS);
  }

  /** Undefined for the embedded database, which is not shared. */
  status(): RateLimitStoreStatus | undefined {
    if (!this.isShared) return undefined;
    return { state: this.degraded ? 'degraded' : 'shared', since: new Date(this.since).toISOString() };
  }

  /** @returns undefined if the database does not answer; immediately during an outage. */
  async withStore<T>(
    question: (store: QueryStore) => Promise<T>,
  ): Promise<{ readonly answer: T } | undefined> {
    if (this.degraded && performance.now() < this.retryAt) return undefined;
    this.retryAt = performance.now() + RETRY_MS;
    try {
      const answer = await this.inTime(question);
      if (this.degraded) this.enter('shared', null);
      return { answer };
    } catch (error) {
      this.retryAt = performance.now() + RETRY_MS;
      if (!this.degraded) this.enter('degraded', publicReason(error, this.databaseUrl));
      return undefined;
    }
  }

  /**
   * Runs statements as one transaction in one round trip, without effect on the state.
   * @returns the rows of each statement.
   * @throws Error if the database is not shared or does not answer.
   */
  async run(statements: string): Promise<readonly (readonly Readonly<Record<string, unknown>>[])[]> {
    if (!this.pool) throw new Error('The database is not shared');
    await this.migrated();
    // Without values, the simple protocol returns a result per statement.
    const results = (await this.pool.query(statements)) as unknown as pg.QueryResult[];
    return results.map(({ rows }) => rows as Readonly<Record<string, unknown>>[]);
  }

  private inTime<T>(question: (store: QueryStore) => Promise<T>): Promise<T> {
    return withDeadline(
      this.migrated().then(() => question(this.store)),
      this.isShared ? PATIENCE_MS : 10 * PATIENCE_MS,
      () => new Error('No answer in time'),
    );
  }

  /** The next call retries after a failure. */
  private migrated(): Promise<unknown> {
    return (this.opened ??= this.database.get().catch((error: Error) => {
      this.opened = undefined;
      throw error;
    }));
  }

  private enter(state: StoreState, cause: string | null): void {
    this.degraded = state === 'degraded';
    this.since = Date.now();
    if (cause === null) {
      const message = 'Rate limit store: available, all instances share their counters';
      this.logger.write('rate_limit.store_available', message);
    } else {
      const message = `Rate limit store: unavailable, this instance counts alone: ${cause}`;
      this.logger.write('rate_limit.store_unavailable', message);
    }
    this.audit.recordChange({ what: 'rate_limit_store', state, cause }).catch((error: Error) =>
      this.logger.write('rate_limit.record_failed', 'Rate limit store: its new state was not recorded', {
        err: error,
      }),
    );
  }

  private async tidy(): Promise<void> {
    if (this.degraded || !this.opened) return;
    const now = new Date();
    const over = [
      { text: 'delete from rate_counters where expire < $1', values: [now.getTime()] },
      { text: 'delete from dpop_proofs where valid_until < $1', values: [now] },
    ];
    // Remaining rows are removed the next time.
    for (const query of over) await this.store.query(query).catch(() => undefined);
  }
}
