/** Revocations in the database: written by one instance, or by the command, and read by all. */
import { sql, type Kysely, type Selectable } from 'kysely';
import type { RevocationsTable, Tables } from '../storage/tables.js';
import type { Revocation, RevocationKind } from './revocation.js';

/** On which instances hear that there is something new. */
export const REVOCATION_CHANNEL = 'gate_revocations';

/** A message that revokes nothing is known again for this long, too. */
const MIN_KEEP_SECONDS = 7 * 86_400;

export interface NewRevocation extends Omit<Revocation, 'id'> {
  /** When every token that it can hit has expired; null: never. In seconds since the epoch. */
  readonly expiresAt: number | null;
}

/** One that is in force, or was. */
export interface StoredRevocation extends Revocation {
  readonly createdAt: string;
  readonly expiresAt: string | null;
}

type Row = Selectable<RevocationsTable>;

/** All that are in force. */
export async function loadRevocations(db: Kysely<Tables>): Promise<StoredRevocation[]> {
  const { rows } = await sql<Row>`
    select id, kind, issuer, value, issued_before, revoked_by, reason, created_at, expires_at from revocations
    where expires_at is null or expires_at > now() order by created_at, id`.execute(db);
  return rows.map(toRevocation);
}

/**
 * What changes with the list, at a fraction of what it costs to read it: it is looked at twice a second, and may be long
 * where a transmitter has much to tell.
 */
export async function fingerprintOf(db: Kysely<Tables>): Promise<string> {
  const { rows } = await sql<{ fingerprint: string }>`
    select count(*) || ' ' || coalesce(sum(hashtextextended(id::text, 0)), 0) as fingerprint from revocations
    where expires_at is null or expires_at > now()`.execute(db);
  return (rows[0] as { fingerprint: string }).fingerprint;
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

/**
 * All of them, or none, and each message once: what was taken is forgotten when it could hit no token any more.
 * @param message names what they come from; no two messages share one.
 * @returns undefined where this message was taken before, and nothing was done.
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
    // Of two at the same time the second waits here until the first is durable, or undone.
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

/** @returns false where there is none with this id. */
export async function withdrawRevocation(db: Kysely<Tables>, id: string): Promise<boolean> {
  const { numAffectedRows } = await sql`delete from revocations where id::text = ${id}`.execute(db);
  await announce(db);
  return (numAffectedRows ?? 0n) > 0n;
}

/** What can hit no token any more. */
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
