/** Kysely types of the customers table, after the last of `EXAMPLE_MIGRATIONS`. */
import type { Generated } from 'kysely';

export const CUSTOMER_TIERS = ['free', 'standard', 'premium'] as const;

export type CustomerTier = (typeof CUSTOMER_TIERS)[number];

export type CustomersTable = {
  customer_id: string;
  name: string;
  email: string;
  tier: CustomerTier;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
};

export type ExampleTables = { customers: CustomersTable };
