/** The tables of the product as Kysely types: the state after the last of `PRODUCT_MIGRATIONS`. */
import type { Generated } from 'kysely';

/** Revocations; `revocation/` states the meaning of the columns. */
export interface RevocationsTable {
  id: Generated<string>;
  kind: string;
  issuer: string;
  value: string;
  /** Seconds since the epoch; `bigint` reads as text. */
  issued_before: string;
  revoked_by: string;
  reason: string | null;
  created_at: Generated<Date>;
  /** Null: never. */
  expires_at: Date | null;
}

/** Digests of security event tokens that were processed. */
export interface RevocationMessagesTable {
  id: Buffer;
  /** Null: for good. */
  keep_until: Date | null;
}

/** Counters of rates and quotas, and the announcements of instances. */
export interface RateCountersTable {
  key: string;
  points: Generated<number>;
  /** Milliseconds since the epoch; `bigint` reads as text. Null: never. */
  expire: string | null;
  /** Milliseconds since the epoch by the clock of the database; `bigint` reads as text. */
  changed: Generated<string>;
}

/** Digests of DPoP proofs that were used (RFC 9449 section 11.1). */
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
