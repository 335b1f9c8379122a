import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { Kysely } from 'kysely';
import { EventLogger } from '../core/event-logger.js';
import { Database } from '../storage/database.js';
import { migrate } from '../storage/migrate.js';
import type { Tables } from '../storage/tables.js';
import type { ExampleTables } from './customers.table.js';
import { EXAMPLE_MIGRATIONS } from './migrations.js';

/** Database of the server with the tables of the example tools. */
@Injectable()
export class ExampleDatabase implements OnApplicationBootstrap {
  private readonly logger = new EventLogger(ExampleDatabase.name);
  private migrated: Promise<void> | undefined;

  constructor(private readonly database: Database) {}

  /**
   * Migrates on the first call; after a failure the next call retries.
   * @throws Error if the database cannot be opened or migrated.
   */
  async get(): Promise<Kysely<Tables & ExampleTables>> {
    const db = await this.database.get();
    this.migrated ??= migrate(db, EXAMPLE_MIGRATIONS);
    try {
      await this.migrated;
    } catch (error) {
      this.migrated = undefined;
      throw new Error('The tables of the example tools cannot be created', { cause: error });
    }
    return db.withTables<ExampleTables>();
  }

  /** In the background. {@link Database} reports a failure to open it. */
  onApplicationBootstrap(): void {
    this.get().catch((error: Error) => {
      if (!error.cause) return;
      this.logger.write('examples.migration_failed', `${error.message}: ${(error.cause as Error).message}`);
    });
  }
}
