/** One line of the ledger: who did what, on whose behalf, and what was decided. Pure. */
import { NO_REQUIREMENTS, targetLabel, type Requirements } from '../common/decision.js';
import type { Exchange, Outcome, OutcomeStatus } from '../common/exchange.js';
import { personOf, type DelegationLink, type Principal } from '../common/principal.js';
import type { Reason } from '../common/reasons.js';
import { digestOf } from './canonical-json.js';

export type AuditEvent = 'authentication' | 'list' | 'decision' | 'outcome' | 'change';

interface RecordedRequirements {
  readonly scopes: readonly string[];
  /** Each is one role, or alternatives joined by `|`. */
  readonly roles: readonly string[];
  /** Any of these authentication contexts; empty: whichever. */
  readonly acr: readonly string[];
  readonly max_age: number | null;
}

/** A record before the ledger gives it its place: `v`, `seq`, `time` and `instance` are the ledger's. */
export interface AuditRecord {
  readonly id: string;
  readonly event: AuditEvent;
  readonly decision: 'allow' | 'deny' | null;
  readonly reason: Reason | null;
  readonly rule: string | null;
  readonly request: {
    readonly id: string;
    readonly trace_id: string | null;
    readonly method: string | null;
    readonly ip: string;
    readonly client: string | null;
  };
  readonly tool: string | null;
  readonly arguments_sha256: string | null;
  readonly principal: {
    readonly iss: string;
    readonly sub: string;
    readonly kind: Principal['kind'];
    readonly client_id: string;
    readonly tenant: string | null;
    readonly scopes: readonly string[];
    readonly roles: readonly string[];
    /** With `auth_time`: what proves later that a demand for assurance was met. */
    readonly acr: readonly string[];
    readonly auth_time: number | null;
    readonly token_id: string | null;
  } | null;
  /** The person at the root of the chain; null where there is none. */
  readonly on_behalf_of: string | null;
  readonly delegation: readonly DelegationLink[];
  readonly required: RecordedRequirements;
  readonly missing: RecordedRequirements;
  readonly outcome: { readonly status: OutcomeStatus; readonly duration_ms: number } | null;
  readonly decision_id: string | null;
}

/** What a caller chose is recorded up to this many characters. */
const MAX_TEXT = 256;

/** An allowed call, before it starts. */
export function decisionRecord(exchange: Exchange): AuditRecord {
  return { ...base(exchange), event: 'decision', decision: 'allow' };
}

/** A list shown. */
export function listRecord(exchange: Exchange): AuditRecord {
  return { ...base(exchange), event: 'list', decision: 'allow' };
}

/** A refusal, at whichever stage: before a principal was known it is one of authentication. */
export function refusalRecord(exchange: Exchange, reason: Reason): AuditRecord {
  return {
    ...base(exchange),
    event: exchange.principal ? 'decision' : 'authentication',
    decision: 'deny',
    reason,
  };
}

/** How an allowed call ended. */
export function outcomeRecord(exchange: Exchange, outcome: Outcome, id: string): AuditRecord {
  return {
    ...base(exchange),
    id,
    event: 'outcome',
    decision: null,
    outcome: { status: outcome.status, duration_ms: outcome.durationMs },
    decision_id: exchange.decisionId,
  };
}

function base(exchange: Exchange): AuditRecord {
  const { principal, operation, decision, inbound } = exchange;
  const called = operation?.kind === 'call' ? operation : undefined;
  return {
    id: exchange.decisionId,
    event: 'decision',
    decision: null,
    reason: null,
    rule: decision?.rule ?? null,
    request: {
      id: exchange.requestId,
      trace_id: exchange.traceId,
      method: inbound.ok ? bounded(inbound.message.method) : null,
      ip: exchange.ip,
      client: exchange.client,
    },
    tool: called ? bounded(targetLabel(called.target)) : null,
    arguments_sha256: called ? digestOf(called.arguments ?? {}) : null,
    principal: principal
      ? {
          iss: principal.issuer,
          sub: principal.subject,
          kind: principal.kind,
          client_id: principal.clientId,
          tenant: principal.tenant,
          scopes: principal.scopes,
          roles: principal.roles,
          acr: principal.acr,
          auth_time: principal.authenticatedAt,
          token_id: principal.tokenId,
        }
      : null,
    on_behalf_of: principal ? personOf(principal) : null,
    delegation: principal?.delegation ?? [],
    required: recorded(decision?.required ?? NO_REQUIREMENTS),
    missing: recorded(decision?.effect === 'deny' ? decision.missing : NO_REQUIREMENTS),
    outcome: null,
    decision_id: null,
  };
}

function recorded({ scopes, roles, assurance }: Requirements): RecordedRequirements {
  return {
    scopes,
    roles: roles.map((group) => group.join('|')),
    acr: assurance?.acr ?? [],
    max_age: assurance?.maxAgeSeconds ?? null,
  };
}

function bounded(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
