import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { type Kysely, sql } from 'kysely';
import { EventLogger } from '../core/event-logger.js';
import { withTimeout } from '../lib/with-timeout.js';
import type { Settings, StorageSettings } from '../config/settings.js';
import { type Connection, openConnection } from './connection.js';
import { publicReason } from './public-reason.js';
import type { Tables } from './tables.js';

const READY_TIMEOUT_MS = 2_000;

/** The database: PostgreSQL with a URL, otherwise embedded in the data directory. */
@Injectable()
export class Database implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new EventLogger(Database.name);
  private readonly settings: StorageSettings;
  private connection: Promise<Connection> | undefined;
  private probe: Promise<boolean> | undefined;
  private closed = false;

  constructor(config: ConfigService<Settings, true>) {
    this.settings = config.get('storage', { infer: true });
  }

  /**
   * The migrated database, opened on the first call. After a failure the next call retries.
   * @throws Error if it cannot be opened, or is closed. The message contains no credentials.
   */
  async get(): Promise<Kysely<Tables>> {
    if (this.closed) throw new Error('The database is closed');
    this.connection ??= this.open();
    return (await this.connection).db;
  }

  /** True if the database answers within two seconds. Retries a failed open. Never rejects. */
  async ready(): Promise<boolean> {
    // One probe at a time: a hanging database must not fill the pool.
    this.probe ??= this.ask().finally(() => (this.probe = undefined));
    return (await withTimeout(this.probe, READY_TIMEOUT_MS)) ?? false;
  }

  /** In the background: the server starts and reports readiness meanwhile. */
  onApplicationBootstrap(): void {
    this.get().catch((error: Error) => this.logger.write('database.open_failed', error.message));
  }

  async onApplicationShutdown(): Promise<void> {
    this.closed = true;
    const connection = await this.connection?.catch(() => undefined);
    this.connection = undefined;
    await connection?.close();
  }

  private async open(): Promise<Connection> {
    try {
      return await openConnection(this.settings, (error) =>
        this.logger.write('database.connection_lost', `Database: connection lost: ${this.explain(error)}`),
      );
    } catch (error) {
      this.connection = undefined;
      throw new Error(`The database cannot be opened: ${this.explain(error)}`);
    }
  }

  private async ask(): Promise<boolean> {
    try {
      await sql`select 1`.execute(await this.get());
      return true;
    } catch {
      return false;
    }
  }

  private explain(error: unknown): string {
    return publicReason(error, this.settings.databaseUrl);
  }
}
