/** Who calls an upstream through the gate. */
import type { SubjectToken } from '../../core/subject-token.js';
import { principalKey, type Principal } from '../../core/principal.js';

export interface UpstreamCaller {
  readonly principal: Principal;
  /** There where a token for the upstream is made out of it. */
  readonly token: SubjectToken | undefined;
}

/** The person, or of a workload the client: two of one key have the same things to see. */
export function personKey({ issuer, subject }: Principal): string {
  return JSON.stringify([issuer, subject]);
}

/**
 * All that another authorization server may make a difference of: a token that was made for more must not be used for less.
 * No two people, clients, chains of delegation or sets of rights share one.
 */
export function authorizationKey(principal: Principal): string {
  const { scopes, roles, acr, authenticatedAt, tenant, delegation, delegationOmitted } = principal;
  const rights = [[...scopes].sort(), [...roles].sort(), [...acr].sort(), authenticatedAt, tenant];
  return JSON.stringify([principalKey(principal), rights, delegation, delegationOmitted]);
}
