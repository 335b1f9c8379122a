/** Who a verified token speaks for. A leaf: every other folder may import it. */

/** `human`: a person is at the root of the token. `workload`: none is (RFC 9068 section 2.2). */
export type PrincipalKind = 'human' | 'workload';

/** One link of the delegation chain, from the root of the token to the client that sent the request. */
export interface DelegationLink {
  readonly sub: string;
  readonly iss: string;
  readonly type: 'human' | 'agent' | 'client';
}

export interface Principal {
  /** Exact `iss` of the token. An identity is the pair (issuer, subject), never the subject alone. */
  readonly issuer: string;
  readonly subject: string;
  /** For records and commands, where the issuer's settings name a claim of it. Chosen by the person: decides nothing. */
  readonly displayName?: string;
  readonly kind: PrincipalKind;
  /** The OAuth client that was given the token (`client_id`, or the provider's name for it). */
  readonly clientId: string;
  readonly tenant: string | null;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  /** Authentication contexts that the token says were met (`acr`, OpenID Connect Core 1.0 section 2). */
  readonly acr: readonly string[];
  /** When the person last authenticated (`auth_time`), in seconds since the epoch. */
  readonly authenticatedAt: number | null;
  /** `jti`, where the token has one. */
  readonly tokenId: string | null;
  /** `sid`: the login that it comes from, where the token says so (OpenID Connect Front-Channel Logout 1.0). */
  readonly sessionId?: string;
  /** `iat`, in seconds since the epoch, where the token says so. */
  readonly issuedAt?: number;
  /** `exp`, in seconds since the epoch. */
  readonly expiresAt: number;
  /** Subject first, then the nested `act` from the innermost out, then the client where it adds one (RFC 8693 section 4.1). */
  readonly delegation: readonly DelegationLink[];
  /** Actors of the token that are not in `delegation`, since there are too many: those next to the root. */
  readonly delegationOmitted: number;
}

/** The person at the root of the chain, or null where a workload acts for itself. */
export function personOf(principal: Principal): string | null {
  return principal.kind === 'human' ? principal.subject : null;
}

/** A key for maps that count or store by principal; no two different identities share one. */
export function principalKey(principal: Principal): string {
  return JSON.stringify([principal.issuer, principal.subject, principal.clientId]);
}
