/** Caller of an upstream. */
import type { SubjectToken } from '../../core/subject-token.js';
import { principalKey, type Principal } from '../../core/principal.js';

export interface UpstreamCaller {
  readonly principal: Principal;
  /** Set if a token for the upstream is derived from it. */
  readonly token: SubjectToken | undefined;
}

/** User, or client of a workload: callers with one key see the same data. */
export function personKey({ issuer, subject }: Principal): string {
  return JSON.stringify([issuer, subject]);
}

/**
 * Distinguishes everything that an authorization server may evaluate: a token for more rights must not serve fewer.
 * Different users, clients, delegation chains and rights have different keys.
 */
export function authorizationKey(principal: Principal): string {
  const { scopes, roles, acr, authenticatedAt, tenant, delegation, delegationOmitted } = principal;
  const rights = [[...scopes].sort(), [...roles].sort(), [...acr].sort(), authenticatedAt, tenant];
  return JSON.stringify([principalKey(principal), rights, delegation, delegationOmitted]);
}
