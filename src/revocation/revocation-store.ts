/** Revocations in the database, written by an instance or the command and read by all instances. */
import { sql, type Kysely, type Selectable } from 'kysely';
import type { RevocationsTable, Tables } from '../storage/tables.js';
import type { Revocation, RevocationKind } from './revocation.js';

/** Notification channel for changes. */
export const REVOCATION_CHANNEL = 'gate_revocations';

/** Messages without revocations are remembered for this time. */
const MIN_KEEP_SECONDS = 7 * 86_400;

export interface NewRevocation extends Omit<Revocation, 'id'> {
  /** Unix time in seconds at which all affected tokens have expired; null: never. */
  readonly expiresAt: number | null;
}

/** A current or former revocation. */
export interface StoredRevocation extends Revocation {
  readonly createdAt: string;
  readonly expiresAt: string | null;
}

type Row = Selectable<RevocationsTable>;

/** All revocations in force. */
export async function loadRevocations(db: Kysely<Tables>): Promise<StoredRevocation[]> {
  const { rows } = await sql<Row>`
    select id, kind, issuer, value, issued_before, revoked_by, reason, created_at, expires_at from revocations
    where expires_at is null or expires_at > now() order by created_at, id`.execute(db);
  return rows.map(toRevocation);
}

/** Value that changes with the list. Cheap: it is polled twice a second, and the list can be long. */
export async function fingerprintOf(db: Kysely<Tables>): Promise<string> {
  const { rows } = await sql<{ fingerprint: string }>`
    select count(*) || ' ' || coalesce(sum(hashtextextended(id::text, 0)), 0) as fingerprint from revocations
    where expires_at is null or expires_at > now()`.execute(db);
  return (rows[0] as { fingerprint: string }).fingerprint;
}

/** Notifies all instances. @returns the stored row. */
export async function addRevocation(db: Kysely<Tables>, one: NewRevocation): Promise<StoredRevocation> {
  const { rows } = await sql<Row>`
    insert into revocations (kind, issuer, value, issued_before, revoked_by, reason, expires_at)
    values (${one.kind}, ${one.issuer}, ${one.value}, ${one.issuedBefore}, ${one.by}, ${one.reason},
      ${one.expiresAt === null ? null : new Date(one.expiresAt * 1000)})
    returning id, kind, issuer, value, issued_before, revoked_by, reason, created_at, expires_at`.execute(db);
  await announce(db);
  return toRevocation(rows[0] as Row);
}

/**
 * Stores all revocations of a message, or none, and each message once. A message is forgotten when it could affect no
 * token.
 * @param message unique id of the message.
 * @returns undefined for a repeated message.
 */
export async function addOnce(
  db: Kysely<Tables>,
  message: Uint8Array,
  all: readonly NewRevocation[],
): Promise<StoredRevocation[] | undefined> {
  const last = all.some(({ expiresAt }) => expiresAt === null)
    ? null
    : Math.max(Date.now() / 1000 + MIN_KEEP_SECONDS, ...all.map(({ expiresAt }) => expiresAt as number));
  return db.transaction().execute(async (step) => {
    // Of two concurrent calls the second waits for the first.
    const { numAffectedRows } = await sql`
      insert into revocation_messages (id, keep_until)
      values (${Buffer.from(message)}, ${last === null ? null : new Date(last * 1000)})
      on conflict (id) do nothing`.execute(step);
    if ((numAffectedRows ?? 0n) === 0n) return undefined;
    const stored: StoredRevocation[] = [];
    for (const one of all) stored.push(await addRevocation(step, one));
    return stored;
  });
}

/** @returns false for an unknown id. */
export async function withdrawRevocation(db: Kysely<Tables>, id: string): Promise<boolean> {
  const { numAffectedRows } = await sql`delete from revocations where id::text = ${id}`.execute(db);
  await announce(db);
  return (numAffectedRows ?? 0n) > 0n;
}

/** Removes revocations that can affect no token. */
export async function removeExpired(db: Kysely<Tables>): Promise<void> {
  await sql`delete from revocations where expires_at <= now()`.execute(db);
  await sql`delete from revocation_messages where keep_until <= now()`.execute(db);
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
