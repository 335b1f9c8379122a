/** The revocations that are in force here, kept up to date behind the requests: no request waits for the database. */
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

/** The net under the notifications: a revocation is in force everywhere within a second, also where none arrives. */
const POLL_MS = 500;
/** How long a request waits for the first list, while the server comes up; and who revokes, for an answer. */
const PATIENCE_MS = 5_000;
const CONNECT_MS = 2_000;
/** A list of a hundred thousand is read in less. */
const STATEMENT_MS = 4_000;
/** Of their own: tools that keep their connections busy must not keep anybody in force. */
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
  /** When the list was last read, RFC 3339; null: never. */
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
   * @throws AppError `token_revoked` where this principal's token is out of force.
   * @throws AppError `identity_unavailable` (503) where that cannot be known: the list is older than it may be.
   */
  require(principal: Principal): void | Promise<void> {
    if (this.maxAgeMs === 0) return;
    if (this.readAt !== undefined) return this.requireNow(principal);
    return withTimeout(this.refresh(), PATIENCE_MS).then(() => this.requireNow(principal));
  }

  private requireNow(principal: Principal): void {
    if (this.readAt === undefined || performance.now() - this.readAt > this.maxAgeMs) {
      throw new AppError('identity_unavailable', 'It cannot be known now which tokens are revoked', {
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

  /** Calls back with every change, so that what runs for a revoked token can be ended. */
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
   * @throws Error where the database does not take it. It may have, where it did not say so in time.
   */
  async add(one: Omit<Revocation, 'id'>): Promise<StoredRevocation> {
    const stored = await this.inTime((db) => addRevocation(db, { ...one, expiresAt: this.expiryOf(one) }));
    await this.refresh();
    return stored;
  }

  /**
   * All that a message says, or nothing; durable when this resolves, in force here, and everywhere within a second.
   * @param message names it; no two messages share one.
   * @returns undefined where it was taken before, by whichever instance: then nothing changes.
   * @throws Error where the database does not take it. It may have, where it did not say so in time: asking again tells.
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

  /** @returns false where there is none with this id. @throws Error where the database does not answer. */
  async withdraw(id: string): Promise<boolean> {
    const isThere = await this.inTime((db) => withdrawRevocation(db, id));
    await this.refresh();
    return isThere;
  }

  private inTime<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    return withDeadline(
      this.db().then(work),
      PATIENCE_MS,
      () => new Error('The database gave no answer in time'),
    );
  }

  /** Migrated first, by whoever opens the database of the tools. */
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

  /** Never rejects. One at a time; who asks meanwhile gets what the next one reads. */
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
        // Of what was there before it was read: what came meanwhile makes it be read once more.
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
      // Where the list cannot be read nothing may be heard either, and that connection would never say so.
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
    // Those of before this run are on record of the runs before.
    if (isFirst) return;
    for (const one of added) this.record(one, 'revoked');
    for (const one of gone) {
      const isOver = one.expiresAt !== null && Date.parse(one.expiresAt) <= Date.now();
      if (!isOver) this.record(one, 'withdrawn');
    }
  }

  /** Each instance puts on its own record what decides there from now on; it decides also where that cannot be recorded. */
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

  /** A notification is faster than the poll; a lost connection is found by the next tick. */
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
      // The next hour will do.
    }
  }
}
