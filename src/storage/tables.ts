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

/** Who wrote it and what it hits: see `revocation/`. */
export interface RevocationsTable {
  id: Generated<string>;
  kind: string;
  issuer: string;
  value: string;
  issued_before: string;
  revoked_by: string;
  reason: string | null;
  created_at: Generated<Date>;
  expires_at: Date | null;
}

export interface Tables {
  customers: CustomersTable;
  revocations: RevocationsTable;
}
