/** Opens PostgreSQL or the embedded database; `close` of the connection closes it. */
import { Kysely, PostgresDialect } from 'kysely';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { makeFolder } from '../lib/durable-file.js';
import { type FileLock, acquireFileLock } from '../lib/file-lock.js';
import type { StorageSettings } from '../config/settings.js';
import { damageOf, startEmbedded } from './embedded.js';
import { migrate } from './migrate.js';
import { PRODUCT_MIGRATIONS } from './migrations.js';
import { openPool } from './pool.js';
import type { Tables } from './tables.js';

export interface Connection {
  readonly db: Kysely<Tables>;
  close(): Promise<void>;
}

/** Connections per instance. PostgreSQL allows 100 by default. */
const POOL_SIZE = 10;
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 12_000;
/** Above the time limit of a migration. */
const MIGRATION_TIMEOUT_MS = 70_000;
/** Time limit for running queries at shutdown. */
const CLOSE_TIMEOUT_MS = 5_000;

/** Opens and migrates a database; closes everything on an error. */
export async function openConnection(
  settings: StorageSettings,
  onIdleError: (error: Error) => void,
): Promise<Connection> {
  const { databaseUrl } = settings;
  if (databaseUrl === undefined) return embedded(settings.dataDir);
  const common = { connectMs: CONNECT_TIMEOUT_MS, statementMs: STATEMENT_TIMEOUT_MS, onIdleError };
  const first = connectionOf(openPool(databaseUrl, { ...common, size: 1, answerMs: MIGRATION_TIMEOUT_MS }));
  await (await migrated(first)).close();
  return connectionOf(openPool(databaseUrl, { ...common, size: POOL_SIZE, answerMs: ANSWER_TIMEOUT_MS }));
}

/** Connection over a pool, to a migrated database. */
export function connectionOf(pool: pg.Pool): Connection {
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return {
    db,
    close: () => Promise.race([db.destroy(), delay(CLOSE_TIMEOUT_MS, undefined, { ref: false })]),
  };
}

async function migrated(connection: Connection): Promise<Connection> {
  try {
    await migrate(connection.db, PRODUCT_MIGRATIONS);
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function embedded(dataDir: string): Promise<Connection> {
  try {
    return await migrated(await openEmbedded(dataDir));
  } catch (error) {
    throw damageOf(error, join(dataDir, 'database')) ?? error;
  }
}

/** PGlite has no lock: two processes on one directory lose rows silently. */
async function openEmbedded(dataDir: string): Promise<Connection> {
  await makeFolder(dataDir);
  const lock = await acquireFileLock(join(dataDir, 'database.lock'));
  try {
    const db = await startEmbedded(join(dataDir, 'database'));
    return { db, close: () => closeEmbedded(db, lock) };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function closeEmbedded(db: Kysely<Tables>, lock: FileLock): Promise<void> {
  try {
    await db.destroy();
  } finally {
    await lock.release();
  }
}
