/** Revocations in force, in memory and updated in the background: requests do not wait for the database. */
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Kysely } from 'kysely';
import pg from 'pg';
import { EventLogger } from '../core/event-logger.js';
import { AuditService } from '../audit/audit.service.js';
import { AppError } from '../core/app-error.js';
import type { Principal } from '../core/principal.js';
import { startPoller, type Poller } from '../lib/poller.js';
import { PRODUCT_NAME } from '../lib/version.js';
import { withDeadline, withTimeout } from '../lib/with-timeout.js';
import { libpqUrl } from '../config/database-url.js';
import type { IssuerSettings, Settings } from '../config/settings.js';
import { connectionOf, type Connection } from '../storage/connection.js';
import { Database } from '../storage/database.js';
import { openPool, type PoolOptions } from '../storage/pool.js';
import { publicReason } from '../storage/public-reason.js';
import type { Tables } from '../storage/tables.js';
import {
  addOnce,
  addRevocation,
  fingerprintOf,
  loadRevocations,
  removeExpired,
  REVOCATION_CHANNEL,
  withdrawRevocation,
  type StoredRevocation,
} from './revocation-store.js';
import { expiryOf } from './expiry.js';
import { RevocationIndex, type Revocation } from './revocation.js';

/** Poll interval: a revocation takes effect everywhere within a second, also without notifications. */
const POLL_MS = 500;
/** Wait of a request for the first list, and of an administrator for the database. */
const PATIENCE_MS = 5_000;
const CONNECT_MS = 2_000;
/** Enough for a list of 100,000. */
const STATEMENT_MS = 4_000;
/** Separate pool: busy connections of tools must not delay revocations. */
const POOL: PoolOptions = {
  name: 'revocations',
  size: 2,
  connectMs: CONNECT_MS,
  statementMs: STATEMENT_MS,
  answerMs: STATEMENT_MS,
};
const REMOVE_EVERY_MS = 3_600_000;
const RETRY_AFTER_SECONDS = 5;

export interface RevocationStatus {
  readonly count: number;
  /** Time of the last read, RFC 3339; null: never. */
  readonly as_of: string | null;
}

@Injectable()
export class RevocationService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new EventLogger('Revocations');
  private readonly maxAgeMs: number;
  private readonly databaseUrl: string | undefined;
  private readonly issuers: readonly IssuerSettings[];
  private readonly listeners = new Set<(isRevoked: (principal: Principal) => boolean) => void>();
  private readonly pollers: Poller[] = [];
  private known = new Map<string, StoredRevocation>();
  private index = new RevocationIndex([]);
  private readAt: number | undefined;
  private fingerprint: string | undefined;
  private reading: Promise<void> | undefined;
  private failing = false;
  private readonly own: Connection | undefined;
  private listener: pg.Client | undefined;
  private stopped = false;

  constructor(
    config: ConfigService<Settings, true>,
    private readonly database: Database,
    private readonly audit: AuditService,
  ) {
    this.maxAgeMs = config.get('revocation', { infer: true }).maxAgeSeconds * 1000;
    this.databaseUrl = config.get('storage', { infer: true }).databaseUrl;
    this.issuers = config.get('auth', { infer: true }).issuers;
    if (this.databaseUrl !== undefined) this.own = connectionOf(openPool(this.databaseUrl, POOL));
  }

  onApplicationBootstrap(): void {
    if (this.maxAgeMs === 0) return;
    void this.refresh();
    this.pollers.push(startPoller(() => this.tick(), POLL_MS));
    this.pollers.push(startPoller(() => this.tidy(), REMOVE_EVERY_MS));
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    this.pollers.forEach((poller) => poller.stop());
    await withTimeout(this.stopListening(), CONNECT_MS);
    await this.reading;
    await this.own?.close();
  }

  /**
   * @throws AppError `token_revoked` for a revoked token.
   * @throws AppError `identity_unavailable` (503) if the list is older than REVOCATION_MAX_AGE_SECONDS.
   */
  require(principal: Principal): void | Promise<void> {
    if (this.maxAgeMs === 0) return;
    if (this.readAt !== undefined) return this.requireNow(principal);
    return withTimeout(this.refresh(), PATIENCE_MS).then(() => this.requireNow(principal));
  }

  private requireNow(principal: Principal): void {
    if (this.readAt === undefined || performance.now() - this.readAt > this.maxAgeMs) {
      throw new AppError('identity_unavailable', 'Revocation list unavailable', {
        status: 503,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    const found = this.index.find(principal);
    if (found) {
      throw new AppError('token_revoked', 'The token was revoked', {
        status: 401,
        challenge: { error: 'invalid_token', errorDescription: 'The token was revoked' },
        cause: new Error(`Revocation ${found.id}`),
      });
    }
  }

  /** Called after each change, to end calls and streams of revoked tokens. */
  onChange(listener: (isRevoked: (principal: Principal) => boolean) => void): void {
    this.listeners.add(listener);
  }

  status(): RevocationStatus | undefined {
    if (this.maxAgeMs === 0) return undefined;
    const age = this.readAt === undefined ? undefined : performance.now() - this.readAt;
    return {
      count: this.known.size,
      as_of: age === undefined ? null : new Date(Date.now() - age).toISOString(),
    };
  }

  list(): StoredRevocation[] {
    return [...this.known.values()];
  }

  /**
   * In force here when this resolves, and everywhere within a second.
   * @throws Error if the database does not store it. After a time-out it may have been stored.
   */
  async add(one: Omit<Revocation, 'id'>): Promise<StoredRevocation> {
    const stored = await this.inTime((db) => addRevocation(db, { ...one, expiresAt: this.expiryOf(one) }));
    await this.refresh();
    return stored;
  }

  /**
   * Stores all revocations of a message, or none; durable and in force here when this resolves, and everywhere within
   * a second.
   * @param message unique id of the message.
   * @returns undefined for a message that any instance has stored before.
   * @throws Error if the database does not store it. After a time-out a repetition tells.
   */
  async addOnce(
    message: Uint8Array,
    all: readonly Omit<Revocation, 'id'>[],
  ): Promise<StoredRevocation[] | undefined> {
    const stored = await this.inTime((db) =>
      addOnce(
        db,
        message,
        all.map((one) => ({ ...one, expiresAt: this.expiryOf(one) })),
      ),
    );
    if (stored?.length) await this.refresh();
    return stored;
  }

  /** @returns false for an unknown id. @throws Error if the database does not answer. */
  async withdraw(id: string): Promise<boolean> {
    const isThere = await this.inTime((db) => withdrawRevocation(db, id));
    await this.refresh();
    return isThere;
  }

  private inTime<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    return withDeadline(
      this.db().then(work),
      PATIENCE_MS,
      () => new Error('The database did not answer in time'),
    );
  }

  /** The service of the product database migrates it first. */
  private async db(): Promise<Kysely<Tables>> {
    const db = await this.database.get();
    return this.own?.db ?? db;
  }

  private expiryOf({ kind, issuer, issuedBefore }: Omit<Revocation, 'id'>): number | null {
    return expiryOf(
      kind,
      issuedBefore,
      this.issuers.find((one) => one.issuer === issuer),
    );
  }

  private async tick(): Promise<void> {
    if (this.databaseUrl !== undefined && !this.listener && !this.failing) void this.listen(this.databaseUrl);
    await this.refresh();
  }

  /** Never rejects. Runs once at a time; concurrent callers share the next run. */
  private async refresh(): Promise<void> {
    await this.reading;
    this.reading ??= this.read().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async read(): Promise<void> {
    if (this.stopped) return;
    const started = performance.now();
    try {
      const db = await this.db();
      const fingerprint = await fingerprintOf(db);
      if (fingerprint !== this.fingerprint) {
        this.take(await loadRevocations(db));
        // Fingerprint from before the read: later changes cause another read.
        this.fingerprint = fingerprint;
      }
      this.readAt = started;
      if (this.failing) this.logger.write('revocation.read_recovered', 'Revocation list: readable again');
      this.failing = false;
    } catch (error) {
      if (!this.failing) {
        this.logger.write(
          'revocation.read_failed',
          `Revocation list: cannot be read, the known list is used for ${this.maxAgeMs / 1000} s: ${publicReason(error, this.databaseUrl)}`,
        );
      }
      this.failing = true;
      // After a failed read the listening connection may be dead too.
      this.stopListening().catch(() => undefined);
    }
  }

  private take(stored: readonly StoredRevocation[]): void {
    const now = new Map(stored.map((one) => [one.id, one]));
    const added = stored.filter(({ id }) => !this.known.has(id));
    const gone = [...this.known.values()].filter(({ id }) => !now.has(id));
    if (added.length === 0 && gone.length === 0) return;
    const isFirst = this.readAt === undefined;
    this.known = now;
    this.index = new RevocationIndex(stored);
    for (const listener of this.listeners) listener((principal) => this.index.find(principal) !== undefined);
    // Earlier runs have recorded these.
    if (isFirst) return;
    for (const one of added) this.record(one, 'revoked');
    for (const one of gone) {
      const isOver = one.expiresAt !== null && Date.parse(one.expiresAt) <= Date.now();
      if (!isOver) this.record(one, 'withdrawn');
    }
  }

  /** Each instance records revocations when they take effect there. A failed record does not delay the effect. */
  private record(one: StoredRevocation, action: 'revoked' | 'withdrawn'): void {
    const { id, kind, issuer, value, issuedBefore, by, reason } = one;
    this.audit
      .recordChange({
        what: 'revocation',
        action,
        revocation: { id, kind, iss: issuer, value, issued_before: issuedBefore },
        by,
        reason,
      })
      .catch((error: Error) =>
        this.logger.write('revocation.record_failed', `Revocation ${id}: in force but not recorded`, {
          err: error,
        }),
      );
  }

  /** A notification is faster than the poll; the next tick replaces a lost connection. */
  private async listen(databaseUrl: string): Promise<void> {
    const client = new pg.Client({
      connectionString: libpqUrl(databaseUrl),
      application_name: `${PRODUCT_NAME} revocations`,
      connectionTimeoutMillis: PATIENCE_MS,
      keepAlive: true,
    });
    this.listener = client;
    const lost = () => {
      if (this.listener === client) this.listener = undefined;
    };
    client.on('error', lost);
    client.on('end', lost);
    client.on('notification', () => void this.refresh());
    try {
      await client.connect();
      await client.query(`listen ${REVOCATION_CHANNEL}`);
    } catch {
      lost();
      await client.end().catch(() => undefined);
    }
  }

  private async stopListening(): Promise<void> {
    const client = this.listener;
    this.listener = undefined;
    await client?.end().catch(() => undefined);
  }

  private async tidy(): Promise<void> {
    try {
      await removeExpired(await this.db());
    } catch {
      // Repeated in an hour.
    }
  }
}
