/** Revocations and their match with a principal. Pure. */
import type { DelegationLink, Principal } from '../core/principal.js';

export const REVOCATION_KINDS = ['token', 'session', 'subject', 'client', 'issuer'] as const;
export type RevocationKind = (typeof REVOCATION_KINDS)[number];

export interface Revocation {
  readonly id: string;
  /**
   * `token`: one token, by `jti`; `session`: all tokens of a login, by `sid`; `subject` and `client`: all tokens of
   * one user or client; `issuer`: all tokens of an issuer.
   */
  readonly kind: RevocationKind;
  readonly issuer: string;
  /** The `jti`, `sid`, subject or client id; empty for an issuer. */
  readonly value: string;
  /** Unix time in seconds: tokens with `iat` up to this second are revoked. */
  readonly issuedBefore: number;
  /** Administrator, by their own name. */
  readonly by: string;
  readonly reason: string | null;
}

/** Index of revocations: a request is matched without a scan. */
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
   * Revocation of this principal's token, or undefined. A token without `iat` counts as issued earlier. The current
   * actor counts like the subject (RFC 8693 section 4.1); earlier actors do not.
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

/** An actor has `iss` and `sub` only: it may be a user or a client. */
function actingAs({ iss, sub }: DelegationLink): [RevocationKind, string, string][] {
  return [
    ['subject', iss, sub],
    ['client', iss, sub],
  ];
}

function keyOf(kind: RevocationKind, issuer: string, value: string): string {
  return JSON.stringify([kind, issuer, value]);
}
