/** JSON form of a revocation in the API and the command. Pure. */
import type { StoredRevocation } from './revocation-store.js';

export function toRevocationJson(one: StoredRevocation): object {
  return {
    id: one.id,
    kind: one.kind,
    issuer: one.issuer,
    value: one.value,
    issued_before: one.issuedBefore,
    by: one.by,
    reason: one.reason,
    created_at: one.createdAt,
    expires_at: one.expiresAt,
  };
}
