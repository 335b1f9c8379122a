/** Identity of a verified token. */

/** `human`: a user is at the root of the token. `workload`: no user (RFC 9068 section 2.2). */
export type PrincipalKind = 'human' | 'workload';

/** One link of the delegation chain, from the root of the token to the client of the request. */
export interface DelegationLink {
  readonly sub: string;
  readonly iss: string;
  readonly type: 'human' | 'agent' | 'client';
}

export interface Principal {
  /** Exact `iss` of the token. An identity is the pair (issuer, subject). */
  readonly issuer: string;
  readonly subject: string;
  /**
   * For records and commands, from the display claim of the issuer settings. Chosen by the user: takes no part in
   * decisions.
   */
  readonly displayName?: string;
  readonly kind: PrincipalKind;
  /** OAuth client of the token (`client_id`, or the claim of the provider). */
  readonly clientId: string;
  readonly tenant: string | null;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  /** Authentication contexts of the token (`acr`, OpenID Connect Core 1.0 section 2). */
  readonly acr: readonly string[];
  /** Last authentication of the user (`auth_time`), Unix time in seconds. */
  readonly authenticatedAt: number | null;
  /** `jti`, or null. */
  readonly tokenId: string | null;
  /** `sid`: login of the token (OpenID Connect Front-Channel Logout 1.0). */
  readonly sessionId?: string;
  /** `iat`, Unix time in seconds. */
  readonly issuedAt?: number;
  /** `exp`, Unix time in seconds. */
  readonly expiresAt: number;
  /** Subject, then the nested `act` claims from the innermost out, then the client (RFC 8693 section 4.1). */
  readonly delegation: readonly DelegationLink[];
  /** Number of actors next to the root that `delegation` omits, because the chain is too long. */
  readonly delegationOmitted: number;
}

/** Subject of the user at the root of the chain. Null for a workload. */
export function personOf(principal: Principal): string | null {
  return principal.kind === 'human' ? principal.subject : null;
}

/** Key for maps by principal. Different identities have different keys. */
export function principalKey(principal: Principal): string {
  return JSON.stringify([principal.issuer, principal.subject, principal.clientId]);
}
