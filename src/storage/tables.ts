/** Kysely types of the product tables, after the last of `PRODUCT_MIGRATIONS`. */
import type { Generated } from 'kysely';

/** Revocations; `revocation/` defines the columns. */
export interface RevocationsTable {
  id: Generated<string>;
  kind: string;
  issuer: string;
  value: string;
  /** Unix time in seconds; `bigint` is read as a string. */
  issued_before: string;
  revoked_by: string;
  reason: string | null;
  created_at: Generated<Date>;
  /** Null: unlimited. */
  expires_at: Date | null;
}

/** Digests of processed security event tokens. */
export interface RevocationMessagesTable {
  id: Buffer;
  /** Null: unlimited. */
  keep_until: Date | null;
}

/** Counters of rates and quotas, and announcements of instances. */
export interface RateCountersTable {
  key: string;
  points: Generated<number>;
  /** Unix time in milliseconds; `bigint` is read as a string. Null: unlimited. */
  expire: string | null;
  /** Unix time in milliseconds by the clock of the database; `bigint` is read as a string. */
  changed: Generated<string>;
}

/** Digests of used DPoP proofs (RFC 9449 section 11.1). */
export interface DpopProofsTable {
  id: Buffer;
  valid_until: Date;
}

export interface Tables {
  revocations: RevocationsTable;
  revocation_messages: RevocationMessagesTable;
  rate_counters: RateCountersTable;
  dpop_proofs: DpopProofsTable;
}
