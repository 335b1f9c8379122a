/** The databases of the storage tests: the embedded one, and PostgreSQL if available. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { StorageSettings } from '../../src/config/settings.js';

export interface TestDatabase {
  /** A new empty database; several connections may share it. */
  readonly settings: StorageSettings;
  /** Removes the database. Close its connections before. */
  cleanup(): Promise<void>;
}

export interface DatabaseBackend {
  readonly name: 'embedded' | 'postgres';
  open(): Promise<TestDatabase>;
}

/** `TEST_DATABASE_URL`: a PostgreSQL user that may create schemas. */
export function testDatabaseUrl(): string {
  return process.env.TEST_DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/test';
}

export const embeddedBackend: DatabaseBackend = { name: 'embedded', open: openEmbedded };

/**
 * For `describe.each(databaseBackends())`; call it once per file, because it connects to PostgreSQL each time.
 * @throws Error if PostgreSQL is unavailable and `CI` is `true`; otherwise it prints a warning and omits
 *   PostgreSQL.
 */
export function databaseBackends(): DatabaseBackend[] {
  return postgresAnswers()
    ? [embeddedBackend, { name: 'postgres', open: openTestDatabase }]
    : [embeddedBackend];
}

/** `describe` needs the result synchronously, so a child process makes the connection. */
function postgresAnswers(): boolean {
  const program = `
    const client = new (require(process.env.PG_MODULE).Client)({
      connectionString: process.env.TEST_DATABASE_URL, connectionTimeoutMillis: 3000,
    });
    client.connect().then(() => client.end()).catch(() => process.exit(1));`;
  const env = { ...process.env, PG_MODULE: require.resolve('pg'), TEST_DATABASE_URL: testDatabaseUrl() };
  try {
    execFileSync(process.execPath, ['-e', program], { env, timeout: 10_000, stdio: 'ignore' });
    return true;
  } catch {
    const warning = 'POSTGRESQL IS UNAVAILABLE (TEST_DATABASE_URL)';
    if (process.env.CI === 'true') throw new Error(warning);
    console.warn(`${warning}: these tests run on the embedded database ONLY`);
    return false;
  }
}

async function openEmbedded(): Promise<TestDatabase> {
  const dataDir = temporaryDirectory();
  return {
    settings: { dataDir, databaseUrl: undefined },
    cleanup: async () => rmSync(dataDir, { recursive: true, force: true }),
  };
}

/** A new PostgreSQL schema. */
export async function openTestDatabase(): Promise<TestDatabase> {
  const schema = `test_${randomBytes(8).toString('hex')}`;
  const dataDir = temporaryDirectory();
  await administer(`create schema ${schema}`);
  return {
    settings: { dataDir, databaseUrl: withSearchPath(testDatabaseUrl(), schema) },
    cleanup: async () => {
      rmSync(dataDir, { recursive: true, force: true });
      await administer(`drop schema ${schema} cascade`);
    },
  };
}

function withSearchPath(databaseUrl: string, schema: string): string {
  const separator = databaseUrl.includes('?') ? '&' : '?';
  return `${databaseUrl}${separator}options=-c%20search_path%3D${schema}`;
}

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: testDatabaseUrl(), connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'mcp-server-test-'));
}
