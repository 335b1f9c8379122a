/** Pseudonyms of users in the audit log: keyed hashes, stable per user and not reversible without the key. */
import { createHmac } from 'node:crypto';
import type { AuditRecord, Change } from './record.js';

/** Prefix that distinguishes a hash from a name. */
const MARK = 'p:';

/** @param key at least 32 characters; stored separately from the audit log. */
export function pseudonym(issuer: string, subject: string, key: string): string {
  // Includes the issuer: the same subject at two issuers is two users.
  const hash = createHmac('sha256', key)
    .update(JSON.stringify([issuer, subject]))
    .digest('base64url');
  return MARK + hash.slice(0, 32);
}

/**
 * Replaces subject, actors and token id of users with hashes and removes the display name. Keeps client
 * names.
 */
export function pseudonymized(record: AuditRecord, key: string): AuditRecord {
  const { principal, delegation, change } = record;
  if (change?.what === 'revocation')
    return { ...record, change: { ...change, ...hashedRevocation(change, key) } };
  if (!principal) return record;
  const { display_name: _name, ...nameless } = principal;
  const isPerson = principal.kind === 'human';
  const hashed = (sub: string, iss = principal.iss) => pseudonym(iss, sub, key);
  return {
    ...record,
    principal: {
      ...nameless,
      sub: isPerson ? hashed(principal.sub) : principal.sub,
      roles: principal.roles.map((role) => (role.includes('@') ? hashed(role) : role)),
      token_id: principal.token_id === null ? null : hashed(principal.token_id),
    },
    on_behalf_of: record.on_behalf_of === null ? null : hashed(record.on_behalf_of),
    delegation: delegation.map((link) =>
      link.type === 'client' || link.sub === principal.client_id
        ? link
        : { ...link, sub: hashed(link.sub, link.iss) },
    ),
  };
}

type RevocationChange = Extract<Change, { what: 'revocation' }>;

function hashedRevocation({ revocation, by }: RevocationChange, key: string): Partial<RevocationChange> {
  const { kind, iss, value } = revocation;
  const isOfPeople = kind === 'subject' || kind === 'token' || kind === 'session';
  return {
    revocation: { ...revocation, value: isOfPeople ? pseudonym(iss, value, key) : value },
    by: pseudonym('', by, key),
  };
}
