/** Fixtures of identities: a principal, its form in an audit record, and the claims of an access token. */
import type { RecordedPrincipal } from '../../src/audit/record-fragment-cache.js';
import type { Principal } from '../../src/core/principal.js';

/**
 * The user alice of `https://issuer` through the client `agent`, without scopes and roles. The delegation chain has
 * only its root by default.
 */
export function principal(facts: Partial<Principal> = {}): Principal {
  const { issuer = 'https://issuer', subject = 'alice', kind = 'human' } = facts;
  return {
    issuer,
    subject,
    kind,
    clientId: 'agent',
    tenant: null,
    scopes: [],
    roles: [],
    acr: [],
    authenticatedAt: null,
    tokenId: null,
    expiresAt: 0,
    delegation: [{ sub: subject, iss: issuer, type: kind === 'human' ? 'human' : 'client' }],
    delegationOmitted: 0,
    ...facts,
  };
}

/** The same user as the `principal` of an audit record. */
export function principalOfRecord(facts: Partial<RecordedPrincipal> = {}): RecordedPrincipal {
  return {
    iss: 'https://issuer',
    sub: 'alice',
    kind: 'human',
    client_id: 'agent',
    tenant: null,
    scopes: [],
    roles: [],
    acr: [],
    auth_time: null,
    token_id: null,
    ...facts,
  };
}

/** Claims of an access token (RFC 9068 section 2.2) of the same user, issued now, valid for five minutes. */
export function accessTokenClaims(claims: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: 'https://issuer',
    sub: 'alice',
    client_id: 'agent',
    iat: now,
    exp: now + 300,
    jti: `jti-${now}`,
    ...claims,
  };
}
