/** Opens the one or the other database; what is opened here is closed by its own `close`. */
import { Kysely, PGliteDialect, PostgresDialect } from 'kysely';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type FileLock, acquireFileLock } from '../common/file-lock.js';
import type { StorageSettings } from '../config/settings.js';
import { migrate } from './migrations.js';
import type { Tables } from './tables.js';

export interface Connection {
  readonly db: Kysely<Tables>;
  close(): Promise<void>;
}

/** Connections per instance. PostgreSQL allows 100 in all by default. */
const POOL_SIZE = 10;
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
/** Above every timeout of the server: it ends a wait for an answer that a broken network will never bring. */
const ANSWER_TIMEOUT_MS = 70_000;
/** A shutdown does not wait longer for queries to end. */
const CLOSE_TIMEOUT_MS = 5_000;

/** A connection that is up to date with the migrations, or an error and nothing left open. */
export async function openConnection(
  settings: StorageSettings,
  onIdleError: (error: Error) => void,
): Promise<Connection> {
  const connection =
    settings.databaseUrl === undefined
      ? await openEmbedded(settings.dataDir)
      : openPostgres(settings.databaseUrl, onIdleError);
  try {
    await migrate(connection.db);
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function openPostgres(connectionString: string, onIdleError: (error: Error) => void): Connection {
  const pool = new pg.Pool({
    connectionString,
    application_name: 'identity-aware-mcp-server',
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
  });
  // An 'error' that nobody hears ends the process. The pool reports a connection lost while idle; one lost while in
  // use is reported on the connection itself, and reaches its user as the failure of the query.
  pool.on('error', onIdleError);
  pool.on('connect', (client) => client.on('error', ignore));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return {
    db,
    close: () => Promise.race([db.destroy(), delay(CLOSE_TIMEOUT_MS, undefined, { ref: false })]),
  };
}

function ignore(): void {}

/** PGlite knows no lock: two processes on one directory lose each other's rows without a word. Hence ours. */
async function openEmbedded(dataDir: string): Promise<Connection> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const lock = await acquireFileLock(join(dataDir, 'database.lock'));
  try {
    const db = await startEmbedded(join(dataDir, 'database'));
    return { db, close: () => closeEmbedded(db, lock) };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function startEmbedded(directory: string): Promise<Kysely<Tables>> {
  // Seconds and hundreds of megabytes: only for those who use it.
  const { PGlite, types } = await import('@electric-sql/pglite');
  const pglite = await PGlite.create(directory, {
    // As pg has it: a bigint, and so a count, is a string.
    parsers: { [types.INT8]: (value: string) => value },
  });
  return new Kysely<Tables>({ dialect: new PGliteDialect({ pglite }) });
}

async function closeEmbedded(db: Kysely<Tables>, lock: FileLock): Promise<void> {
  try {
    await db.destroy();
  } finally {
    await lock.release();
  }
}
