/** Severity of a record for SIEM formats. */
import type { StoredRecord } from '../record.js';

export type Severity = 'informational' | 'low' | 'medium' | 'high';

/** High: the audit log itself. Medium: the gateway failed. Low: a request was denied. */
export function severityOf({ decision, reason, change }: StoredRecord): Severity {
  if (change?.what === 'gap' || change?.what === 'key' || reason === 'audit_unavailable') return 'high';
  if (reason === 'internal_error' || reason === 'identity_unavailable') return 'medium';
  return decision === 'deny' ? 'low' : 'informational';
}
