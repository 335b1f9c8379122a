/** Responses, meaning and remedy of each reason. Source of docs/reference/errors.md. */
import type { Reason } from './reasons.js';

export interface ReasonDefinition {
  /** HTTP statuses of the response. */
  readonly status: readonly number[];
  /** Codes of the JSON-RPC error. */
  readonly code: readonly number[];
  /** Content of `WWW-Authenticate`, in Markdown. Unset: the response has no challenge. */
  readonly challenge?: string;
  readonly meaning: string;
  /** Begins with the party that acts: client or operator. */
  readonly remedy: string;
}

export const REASON_DEFINITIONS = {
  origin_rejected: {
    status: [403],
    code: [403],
    meaning: '`Origin` or `Host` is not allowed.',
    remedy: 'Operator: add the value to `ALLOWED_ORIGINS` or `ALLOWED_HOSTS`, or correct `PUBLIC_URL`.',
  },
  request_malformed: {
    status: [400, 404, 406, 408, 413, 415, 431],
    code: [400, -32700, -32600, -32601, -32602, -32000, -32020, -32022],
    challenge: '`invalid_request` for a faulty credential',
    meaning: 'The request is invalid ([cases](#malformed-requests)).',
    remedy: 'Client: correct the request.',
  },
  token_missing: {
    status: [401],
    code: [401],
    challenge: '`scope`',
    meaning: 'The request has no token.',
    remedy: 'Client: get a token from the authorization server that `resource_metadata` leads to.',
  },
  token_malformed: {
    status: [401],
    code: [401],
    challenge: '`invalid_token`',
    meaning: 'The token is not a signed JWT.',
    remedy:
      'Client: send the access token, not the ID or refresh token. Operator: configure introspection for opaque tokens in `identity.yaml`.',
  },
  token_algorithm: {
    status: [401],
    code: [401],
    challenge: '`invalid_token`',
    meaning: 'The algorithm of the signature is not accepted.',
    remedy: 'Operator: add the algorithm to `AUTH_ALGORITHMS`, or change it at the provider.',
  },
  token_signature: {
    status: [401],
    code: [401],
    challenge: '`invalid_token`',
    meaning: 'The signature cannot be verified with the keys of the issuer.',
    remedy: 'Client: get a new token. Operator: check `AUTH_ISSUER` and `AUTH_JWKS_URI`.',
  },
  token_type: {
    status: [401],
    code: [401],
    challenge: '`invalid_token`',
    meaning: 'The token is not an access token.',
    remedy: 'Client: send the access token. Operator: check `AUTH_PRESET` and `AUTH_TOKEN_TYPES`.',
  },
  token_issuer: {
    status: [401],
    code: [401],
    challenge: '`invalid_token`',
    meaning: 'The issuer of the token is not configured.',
    remedy: 'Operator: set `AUTH_ISSUER` to the exact `iss`.',
  },
  token_audience: {
    status: [401],
    code: [401],
    challenge: '`invalid_token`',
    meaning: 'The token is for another audience.',
    remedy:
      'Client: request a token for the resource identifier (RFC 8707). Operator: check `AUTH_AUDIENCE`.',
  },
  token_expired: {
    status: [401],
    code: [401],
    challenge: '`invalid_token`',
    meaning: '`exp` is in the past.',
    remedy: 'Client: refresh the token.',
  },
  token_not_yet_valid: {
    status: [401],
    code: [401],
    challenge: '`invalid_token`',
    meaning: '`nbf` or `iat` is in the future.',
    remedy: 'Operator: synchronize the clocks, or raise `AUTH_CLOCK_TOLERANCE_SECONDS`.',
  },
  token_lifetime: {
    status: [401],
    code: [401],
    challenge: '`invalid_token`',
    meaning: 'The lifetime of the token exceeds the limit, or is unknown.',
    remedy: 'Operator: shorten the lifetime at the provider, or raise `AUTH_MAX_TOKEN_LIFETIME_SECONDS`.',
  },
  token_claims: {
    status: [401],
    code: [401],
    challenge: '`invalid_token`',
    meaning: 'A required claim is missing or has another form.',
    remedy: 'Operator: check the claims at the provider with `mcp-gate doctor -`.',
  },
  token_binding: {
    status: [401],
    code: [401],
    challenge: '`invalid_token`, `invalid_dpop_proof` or `use_dpop_nonce`; with `algs` for `DPoP`',
    meaning: 'The key or certificate of the token is missing, or the proof is invalid.',
    remedy:
      'Client: send a valid DPoP proof, with the nonce of the response, or the certificate of the token.',
  },
  token_revoked: {
    status: [401],
    code: [401],
    challenge: '`invalid_token`',
    meaning: 'The token is revoked at the gateway, or inactive at the issuer.',
    remedy: 'Client: log in again. Operator: `mcp-gate revoke list` names revocations.',
  },
  identity_unavailable: {
    status: [503],
    code: [503],
    meaning: 'The issuer, or the revocation list, is unavailable.',
    remedy:
      'Client: retry after `Retry-After`. Operator: check the connection to the issuer and to the database.',
  },
  rate_limited: {
    status: [429],
    code: [429],
    meaning: 'A rate limit or quota is exceeded.',
    remedy:
      'Client: retry after `Retry-After`. Operator: raise `RATE_LIMIT_PER_MINUTE` or the rate in the policy.',
  },
  tool_unknown: {
    status: [404],
    code: [-32602],
    meaning: 'The target does not exist, or is not on the allow-list.',
    remedy: 'Client: read the list again. Operator: check `TOOL_ALLOW_LIST`.',
  },
  tool_not_allowed: {
    status: [404],
    code: [-32602],
    meaning:
      'The target exists but is not on the allow-list. Only the audit record has this reason; the response has `tool_unknown`.',
    remedy: 'Operator: add the name to `TOOL_ALLOW_LIST`.',
  },
  role_missing: {
    status: [403],
    code: [403],
    meaning: 'The user lacks a role. A scope cannot replace it.',
    remedy: 'Operator: assign the role at the provider.',
  },
  human_required: {
    status: [403],
    code: [403],
    meaning: 'The token has no user.',
    remedy: 'Client: log in a user. Operator: `@AllowWorkload()` opens a tool to workloads.',
  },
  condition_failed: {
    status: [403],
    code: [403],
    meaning: 'A condition of the policy denies the call. The message is that of the rule.',
    remedy: 'Operator: `mcp-gate policy explain` shows the rule.',
  },
  assurance_insufficient: {
    status: [401],
    code: [401],
    challenge:
      '`insufficient_user_authentication` with `acr_values`, `max_age` and every scope of the operation',
    meaning: 'The login is too weak or too old (RFC 9470).',
    remedy: 'Client: log in again with the `acr_values` and `max_age` of the challenge.',
  },
  scope_missing: {
    status: [403],
    code: [403],
    challenge: '`insufficient_scope` with every scope of the operation',
    meaning: 'The token lacks a scope.',
    remedy: 'Client: request a token with the scopes of the challenge.',
  },
  audit_unavailable: {
    status: [503],
    code: [503],
    meaning: 'The audit record cannot be written.',
    remedy:
      'Client: retry after `Retry-After`. Operator: check the disk and the permissions of `AUDIT_FILE`.',
  },
  internal_error: {
    status: [500],
    code: [-32603],
    meaning: 'An unexpected error occurred.',
    remedy: 'Operator: search the log for the `decision_id`; the line has the cause.',
  },
} as const satisfies Record<Reason, ReasonDefinition>;
