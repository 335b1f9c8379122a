/** Closed list of reasons for a denial. Callers switch on these, never on a text. */
export const REASONS = [
  'origin_rejected',
  'request_malformed',
  'token_missing',
  'token_malformed',
  'token_algorithm',
  'token_signature',
  'token_type',
  'token_issuer',
  'token_audience',
  'token_expired',
  'token_not_yet_valid',
  'token_lifetime',
  'token_claims',
  'token_binding',
  'token_revoked',
  'identity_unavailable',
  'rate_limited',
  'tool_unknown',
  'tool_not_allowed',
  'scope_missing',
  'role_missing',
  'human_required',
  'assurance_insufficient',
  'condition_failed',
  'audit_unavailable',
  'internal_error',
] as const;

export type Reason = (typeof REASONS)[number];

export function isReason(code: string): code is Reason {
  return (REASONS as readonly string[]).includes(code);
}
