/** Migrations of the product tables, for PostgreSQL and the embedded database. */
import { sql } from 'kysely';
import type { MigrationSet } from './migrate.js';

/**
 * Released steps never change; a change is a new step at the end. Numbers start at 3: steps 1 and 2 of early versions
 * created the example table, now a set in `examples/`.
 */
export const PRODUCT_MIGRATIONS: MigrationSet = {
  table: 'schema_migrations',
  retired: ['0001_customers', '0002_example_customers'],
  steps: [
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
        // `expire` is Unix time in milliseconds.
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
        // Unix time in milliseconds by the clock of the database: instances read each other's changes.
        await sql`alter table rate_counters add column changed bigint not null default 0`.execute(db);
        await sql`create index rate_counters_changed on rate_counters (changed)`.execute(db);
      },
    },
  ],
};
