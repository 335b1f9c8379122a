/** Runs the missing steps of a set of migrations. */
import { type Kysely, type QueryExecutorProvider, sql } from 'kysely';

export interface Migration {
  /** Written to the database: never renamed, never reused. */
  readonly name: string;
  /** Raw SQL only: table types describe the last state, not the state that this step finds. */
  up(db: QueryExecutorProvider): Promise<void>;
}

/** The migrations of one owner of tables. */
export interface MigrationSet {
  /** Lists the applied steps. Unique to this set. */
  readonly table: string;
  /** In the order in which they run. */
  readonly steps: readonly Migration[];
  /** Names of former steps: accepted in a database that has them, never run. Default: none. */
  readonly retired?: readonly string[];
}

/** Every statement of a migration, and the wait for another instance that migrates. */
const STATEMENT_TIMEOUT_MS = 60_000;

/** Any constant that other programs on the same database are unlikely to use. */
const LOCK_ID = 4_914_703_217;

/**
 * Brings the tables of one set up to date, in the first schema of the connection's search path: all missing steps, or
 * none. Of several starters one migrates while the others wait.
 *
 * Not kysely's own Migrator: that one reads the tables of every schema of the database first, and fails when another
 * program drops one of them meanwhile.
 * @throws Error when a step fails, or when the database has a step that the set does not know.
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
