/** The tables as kysely sees them: the state after the last migration. */
import type { Generated } from 'kysely';

export const CUSTOMER_TIERS = ['free', 'standard', 'premium'] as const;

export type CustomerTier = (typeof CUSTOMER_TIERS)[number];

export interface CustomersTable {
  customer_id: string;
  name: string;
  email: string;
  tier: CustomerTier;
  created_at: Generated<Date>;
  updated_at: Generated<Date>;
}

export interface Tables {
  customers: CustomersTable;
}
