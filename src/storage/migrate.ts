/** Runs missing migrations. */
import { type Kysely, type QueryExecutorProvider, sql } from 'kysely';

export interface Migration {
  /** Stored in the database: never renamed or reused. */
  readonly name: string;
  /** Raw SQL only: table types describe the final state, not the state before this step. */
  up(db: QueryExecutorProvider): Promise<void>;
}

/** Migrations of one owner of tables. */
export interface MigrationSet {
  /** Table of applied steps, unique to this set. */
  readonly table: string;
  /** In the order of execution. */
  readonly steps: readonly Migration[];
  /** Names of removed steps, accepted in a database that has them. Default: none. */
  readonly retired?: readonly string[];
}

/** Time limit of each statement, and of the wait for another migrating instance. */
const STATEMENT_TIMEOUT_MS = 60_000;

/** Arbitrary constant, unlikely to be used by other programs. */
const LOCK_ID = 4_914_703_217;

/**
 * Applies all missing steps of a set, or none, in the first schema of the search path. Of several starters one
 * migrates and the others wait.
 *
 * Not kysely's Migrator: it reads the tables of all schemas and fails if another program drops one meanwhile.
 * @throws Error if a step fails, or if the database has an unknown step.
 */
export async function migrate<Tables>(db: Kysely<Tables>, set: MigrationSet): Promise<void> {
  const table = sql.table(set.table);
  await db.transaction().execute(async (step) => {
    await sql`set local statement_timeout = ${sql.lit(STATEMENT_TIMEOUT_MS)}`.execute(step);
    await sql`select pg_advisory_xact_lock(${sql.lit(LOCK_ID)})`.execute(step);
    await sql`
      create table if not exists ${table} (
        name text primary key,
        applied_at timestamptz not null default now()
      )`.execute(step);
    const { rows } = await sql<{ name: string }>`select name from ${table}`.execute(step);
    const applied = new Set(rows.map((row) => row.name));
    rejectUnknown(applied, set);
    for (const migration of set.steps) {
      if (applied.has(migration.name)) continue;
      await migration.up(step);
      await sql`insert into ${table} (name) values (${migration.name})`.execute(step);
    }
  });
}

function rejectUnknown(applied: ReadonlySet<string>, { steps, retired = [] }: MigrationSet): void {
  const known = new Set([...steps.map(({ name }) => name), ...retired]);
  const unknown = [...applied].filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new Error(
      `The database was built by a newer version of this program: it has ${unknown.join(', ')}`,
    );
  }
}
