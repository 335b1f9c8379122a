/** What takes a token out of force before it expires, and whether it takes this one. Pure. */
import type { DelegationLink, Principal } from '../core/principal.js';

export const REVOCATION_KINDS = ['token', 'session', 'subject', 'client', 'issuer'] as const;
export type RevocationKind = (typeof REVOCATION_KINDS)[number];

export interface Revocation {
  readonly id: string;
  /**
   * `token`: one, by its `jti`; `session`: all of one login, by their `sid`; `subject` and `client`: all of one person
   * or client; `issuer`: all of one issuer.
   */
  readonly kind: RevocationKind;
  readonly issuer: string;
  /** The `jti`, `sid`, subject or client id; empty for an issuer. */
  readonly value: string;
  /** In whole seconds since the epoch: tokens issued (`iat`) within that second or before are out of force, later ones are not. */
  readonly issuedBefore: number;
  /** Who revoked, as they name themselves. */
  readonly by: string;
  readonly reason: string | null;
}

/** Revocations by what they hit: a request is held against them without looking at each. */
export class RevocationIndex {
  private readonly byTarget = new Map<string, Revocation>();

  constructor(revocations: Iterable<Revocation>) {
    for (const one of revocations) {
      const key = keyOf(one.kind, one.issuer, one.value);
      const known = this.byTarget.get(key);
      if (!known || known.issuedBefore < one.issuedBefore) this.byTarget.set(key, one);
    }
  }

  /**
   * The revocation that takes this principal's token out of force; undefined where none does. A token that does not say
   * when it was issued was issued before. Who acts now is locked out as whoever is acted for (RFC 8693 section 4.1); who
   * acted before is not: that is for the record.
   */
  find(principal: Principal): Revocation | undefined {
    if (this.byTarget.size === 0) return undefined;
    const { issuer, subject, clientId, tokenId, sessionId, issuedAt, delegation } = principal;
    const actor = delegation.findLast(({ type }) => type === 'agent');
    const targets: [RevocationKind, string, string | null | undefined][] = [
      ['token', issuer, tokenId],
      ['session', issuer, sessionId],
      ['subject', issuer, subject],
      ['client', issuer, clientId],
      ['issuer', issuer, ''],
      ...(actor ? actingAs(actor) : []),
    ];
    for (const [kind, of, value] of targets) {
      if (value === null || value === undefined) continue;
      const found = this.byTarget.get(keyOf(kind, of, value));
      if (found && (kind === 'token' || issuedAt === undefined || Math.floor(issuedAt) <= found.issuedBefore))
        return found;
    }
    return undefined;
  }
}

/** An actor is named by `iss` and `sub` alone: nobody says whether that is a person or a client. */
function actingAs({ iss, sub }: DelegationLink): [RevocationKind, string, string][] {
  return [
    ['subject', iss, sub],
    ['client', iss, sub],
  ];
}

function keyOf(kind: RevocationKind, issuer: string, value: string): string {
  return JSON.stringify([kind, issuer, value]);
}
