/** Revocations in the database: written by one instance, or by the command, and read by all. */
import { sql, type Kysely } from 'kysely';
import type { Tables } from '../storage/tables.js';
import type { Revocation, RevocationKind } from './revocation.js';

/** On which instances hear that there is something new. */
export const REVOCATION_CHANNEL = 'gate_revocations';

export interface NewRevocation extends Omit<Revocation, 'id'> {
  /** When every token that it can hit has expired; null: never. In seconds since the epoch. */
  readonly expiresAt: number | null;
}

/** One that is in force, or was. */
export interface StoredRevocation extends Revocation {
  readonly createdAt: string;
  readonly expiresAt: string | null;
}

interface Row {
  id: string;
  kind: string;
  issuer: string;
  value: string;
  issued_before: string;
  revoked_by: string;
  reason: string | null;
  created_at: Date;
  expires_at: Date | null;
}

/** All that are in force. */
export async function loadRevocations(db: Kysely<Tables>): Promise<StoredRevocation[]> {
  const { rows } = await sql<Row>`
    select id, kind, issuer, value, issued_before, revoked_by, reason, created_at, expires_at from revocations
    where expires_at is null or expires_at > now() order by created_at, id`.execute(db);
  return rows.map(toRevocation);
}

/** Tells every instance. @returns as it stands in the database. */
export async function addRevocation(db: Kysely<Tables>, one: NewRevocation): Promise<StoredRevocation> {
  const { rows } = await sql<Row>`
    insert into revocations (kind, issuer, value, issued_before, revoked_by, reason, expires_at)
    values (${one.kind}, ${one.issuer}, ${one.value}, ${one.issuedBefore}, ${one.by}, ${one.reason},
      ${one.expiresAt === null ? null : new Date(one.expiresAt * 1000)})
    returning id, kind, issuer, value, issued_before, revoked_by, reason, created_at, expires_at`.execute(db);
  await announce(db);
  return toRevocation(rows[0] as Row);
}

/** @returns false where there is none with this id. */
export async function withdrawRevocation(db: Kysely<Tables>, id: string): Promise<boolean> {
  const { numAffectedRows } = await sql`delete from revocations where id::text = ${id}`.execute(db);
  await announce(db);
  return (numAffectedRows ?? 0n) > 0n;
}

/** What can hit no token any more. */
export async function removeExpired(db: Kysely<Tables>): Promise<void> {
  await sql`delete from revocations where expires_at <= now()`.execute(db);
}

async function announce(db: Kysely<Tables>): Promise<void> {
  await sql`select pg_notify(${REVOCATION_CHANNEL}, '')`.execute(db);
}

function toRevocation(row: Row): StoredRevocation {
  return {
    id: row.id,
    kind: row.kind as RevocationKind,
    issuer: row.issuer,
    value: row.value,
    issuedBefore: Number(row.issued_before),
    by: row.revoked_by,
    reason: row.reason,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
  };
}
