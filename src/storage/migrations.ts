/** The steps that build the database, for PostgreSQL and the embedded one alike, and their runner. */
import { type Kysely, type QueryExecutorProvider, sql } from 'kysely';
import type { Tables } from './tables.js';

export interface Migration {
  /** Written to the database: never renamed, never reused. */
  readonly name: string;
  /** Raw SQL only: {@link Tables} describes the last state, not the one that this step finds. */
  up(db: QueryExecutorProvider): Promise<void>;
}

/** Every statement of a migration, and the wait for another instance that migrates. */
const STATEMENT_TIMEOUT_MS = 60_000;

/** Any constant that other programs on the same database are unlikely to use. */
const LOCK_ID = 4_914_703_217;

/** In the order in which they run. One that has been released is never changed: a change is a new one at the end. */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: '0001_customers',
    async up(db) {
      await sql`
        create table customers (
          customer_id text primary key,
          name text not null,
          email text not null,
          tier text not null check (tier in ('free', 'standard', 'premium')),
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now()
        )`.execute(db);
    },
  },
  {
    name: '0002_example_customers',
    async up(db) {
      await sql`
        insert into customers (customer_id, name, email, tier) values
          ('123', 'Ada Marchetti', 'ada.marchetti@example.com', 'premium'),
          ('124', 'Jonas Lindqvist', 'jonas.lindqvist@example.com', 'standard'),
          ('125', 'Priya Raman', 'priya.raman@example.org', 'standard'),
          ('126', 'Tomasz Zieliński', 'tomasz.zielinski@example.net', 'free'),
          ('127', 'Grace Okonkwo', 'grace.okonkwo@example.org', 'free')`.execute(db);
    },
  },
  {
    name: '0003_revocations',
    async up(db) {
      await sql`
        create table revocations (
          id uuid primary key default gen_random_uuid(),
          kind text not null check (kind in ('token', 'session', 'subject', 'client', 'issuer')),
          issuer text not null,
          value text not null,
          issued_before bigint not null,
          revoked_by text not null,
          reason text,
          created_at timestamptz not null default now(),
          expires_at timestamptz
        )`.execute(db);
    },
  },
  {
    name: '0004_counters',
    async up(db) {
      // `expire` in milliseconds since the epoch.
      await sql`
        create table rate_counters (
          key varchar(255) primary key,
          points integer not null default 0,
          expire bigint
        )`.execute(db);
      await sql`create index rate_counters_expire on rate_counters (expire)`.execute(db);
      await sql`
        create table dpop_proofs (
          id bytea primary key,
          valid_until timestamptz not null
        )`.execute(db);
      await sql`create index dpop_proofs_valid_until on dpop_proofs (valid_until)`.execute(db);
    },
  },
  {
    name: '0005_revocation_messages',
    async up(db) {
      await sql`
        create table revocation_messages (
          id bytea primary key,
          keep_until timestamptz
        )`.execute(db);
    },
  },
  {
    name: '0006_counter_changes',
    async up(db) {
      // In milliseconds since the epoch, by the clock of the database: instances read the changes of each other.
      await sql`alter table rate_counters add column changed bigint not null default 0`.execute(db);
      await sql`create index rate_counters_changed on rate_counters (changed)`.execute(db);
    },
  },
];

/**
 * Brings the database up to date, in the first schema of the connection's search path: all that is missing, or
 * nothing. Of several starters one migrates while the others wait.
 *
 * Not kysely's own Migrator: that one reads the tables of every schema of the database first, and fails when another
 * program drops one of them meanwhile.
 * @throws Error when a step fails, or when the database knows a step that this program does not.
 */
export async function migrate(
  db: Kysely<Tables>,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  await db.transaction().execute(async (step) => {
    await sql`set local statement_timeout = ${sql.lit(STATEMENT_TIMEOUT_MS)}`.execute(step);
    await sql`select pg_advisory_xact_lock(${sql.lit(LOCK_ID)})`.execute(step);
    await sql`
      create table if not exists schema_migrations (
        name text primary key,
        applied_at timestamptz not null default now()
      )`.execute(step);
    const { rows } = await sql<{ name: string }>`select name from schema_migrations`.execute(step);
    const applied = new Set(rows.map((row) => row.name));
    refuseUnknown(applied, migrations);
    for (const migration of migrations) {
      if (applied.has(migration.name)) continue;
      await migration.up(step);
      await sql`insert into schema_migrations (name) values (${migration.name})`.execute(step);
    }
  });
}

function refuseUnknown(applied: ReadonlySet<string>, migrations: readonly Migration[]): void {
  const known = new Set(migrations.map((migration) => migration.name));
  const unknown = [...applied].filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new Error(
      `The database was built by a newer version of this program: it has ${unknown.join(', ')}`,
    );
  }
}
