/** Requires a scope and a role of administrators. Pure. */
import { NO_REQUIREMENTS, type Decision } from '../../core/decision.js';
import type { Principal } from '../../core/principal.js';

export const ADMIN_SCOPE = 'gate.admin';
export const ADMIN_ROLE = 'gate-admin';

const REQUIRED = { scopes: [ADMIN_SCOPE], roles: [[ADMIN_ROLE]], assurance: null };
const RULE = 'admin';

export function decideAdmin({ scopes, roles }: Principal): Decision {
  const missing = {
    ...NO_REQUIREMENTS,
    scopes: scopes.includes(ADMIN_SCOPE) ? [] : [ADMIN_SCOPE],
    roles: roles.includes(ADMIN_ROLE) ? [] : [[ADMIN_ROLE]],
  };
  const denied = { effect: 'deny', rule: RULE, required: REQUIRED, missing } as const;
  if (missing.roles.length > 0) return { ...denied, reason: 'role_missing' };
  if (missing.scopes.length > 0) return { ...denied, reason: 'scope_missing' };
  return { effect: 'allow', rule: RULE, required: REQUIRED };
}
