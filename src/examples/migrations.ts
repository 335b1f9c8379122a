/** Migrations of the customers table, with five example customers. */
import { sql } from 'kysely';
import type { MigrationSet } from '../storage/migrate.js';

export const EXAMPLE_MIGRATIONS: MigrationSet = {
  table: 'example_migrations',
  steps: [
    {
      name: '0001_customers',
      async up(db) {
        // The first development versions created the table in a product migration; it remains.
        const { rows } = await sql`select from schema_migrations where name = '0001_customers'`.execute(db);
        if (rows.length > 0) return;
        await sql`
          create table customers (
            customer_id text primary key,
            name text not null,
            email text not null,
            tier text not null check (tier in ('free', 'standard', 'premium')),
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now()
          )`.execute(db);
        await sql`
          insert into customers (customer_id, name, email, tier) values
            ('123', 'Ada Marchetti', 'ada.marchetti@example.com', 'premium'),
            ('124', 'Jonas Lindqvist', 'jonas.lindqvist@example.com', 'standard'),
            ('125', 'Priya Raman', 'priya.raman@example.org', 'standard'),
            ('126', 'Tomasz Zieliński', 'tomasz.zielinski@example.net', 'free'),
            ('127', 'Grace Okonkwo', 'grace.okonkwo@example.org', 'free')`.execute(db);
      },
    },
  ],
};
