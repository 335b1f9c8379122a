/** Context of one HTTP request, passed as an argument through the pipeline. */
import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../lib/json.js';
import type { AppError } from './app-error.js';
import type { AuthScheme } from './challenge.js';
import type { Decision, Target } from './decision.js';
import type { SubjectToken } from './subject-token.js';
import type { Principal } from './principal.js';
import type { Reason } from './reasons.js';
import type { RequestTimings } from './request-timings.js';
export type RequestId = string | number;

/** `json`: one JSON document only. `events`: an event stream only. `either`: the server chooses. */
export type AnswerForm = 'json' | 'events' | 'either';

/** A well-formed JSON-RPC message, parsed once for all steps. */
export interface Message {
  /** Null for a notification. */
  readonly id: RequestId | null;
  readonly method: string;
  readonly params: JsonObject;
  /** `modern`: revision 2026-07-28 or later; `legacy`: 2025-11-25 or older. */
  readonly era: 'modern' | 'legacy';
  /**
   * Revision that the client declares; 2025-03-26 by default (MCP 2025-11-25, streamable HTTP). Unset for other
   * protocols.
   */
  readonly revision?: string;
  /** Response form that the client accepts. Unset for other protocols. */
  readonly form?: AnswerForm;
  /** The message without optional members that are null. */
  readonly body: JsonObject;
}

/** Parsed body: a message, or a fault. `id` is the JSON-RPC id if it was readable. */
export type ParsedRequest =
  | { readonly ok: true; readonly id: RequestId | null; readonly message: Message }
  | { readonly ok: false; readonly id: RequestId | null; readonly fault: AppError };

/** End of a call. `tool_error`: the tool or its input validation reported an error. */
export type OutcomeStatus = 'ok' | 'tool_error' | 'failed' | 'cancelled';

export interface Outcome {
  readonly status: OutcomeStatus;
  readonly durationMs: number;
}

/** W3C Trace Context of the caller. Takes no part in decisions. */
export interface Trace {
  readonly id: string;
  /** Complete header value, forwarded with work for this request. */
  readonly traceparent: string;
}

/** Kinds of lists (MCP, server features). */
export type ListKind = 'tools' | 'prompts' | 'resources' | 'resourceTemplates';

/** Effect of the decision: a call, a list, or an operation without a record. */
export type Operation =
  | { readonly kind: 'call'; readonly target: Target; readonly arguments: unknown }
  | { readonly kind: 'list'; readonly of: ListKind }
  | { readonly kind: 'protocol' };

/** Targets of one kind that a caller sees. */
export interface Listing {
  /** In a fixed order. */
  readonly shown: readonly Target[];
  /** Number of hidden targets. */
  readonly hidden: number;
  /** Number of shown targets that shadow rules would hide. Absent without shadow rules. */
  readonly shadowHiddenCount?: number;
  /** Number of hidden targets that shadow rules would show. Absent if zero. */
  readonly wouldShow?: number;
  /** Digest of the operator's policy. Absent without a policy. */
  readonly policy?: string;
}

export interface RequestContext {
  /** Id of this HTTP request in logs and records. */
  readonly requestId: string;
  /** Id of the record of this request. */
  readonly decisionId: string;
  readonly trace: Trace | undefined;
  readonly ip: string;
  /** Name and version that the client states. Takes no part in decisions. */
  readonly client: string | null;
  readonly parsed: ParsedRequest;
  /** Unset without metrics. */
  readonly clock?: RequestTimings;
  /** Scheme of the presented token. */
  scheme?: AuthScheme;
  principal?: Principal;
  /** Kept only for upstreams with token exchange. */
  heldToken?: SubjectToken;
  operation?: Operation;
  decision?: Decision;
  /** Recorded reason of a denial. */
  refused?: Reason;
  /** Rule of the operator whose limit this call exceeds. */
  rateLimitRule?: string;
  /** Decided list, before it is recorded. */
  listing?: Listing;
  /** Set when the handler starts. Resolves when the call ends; never rejects. */
  outcome?: Promise<Outcome>;
  /** True after the audit log accepted the decision. With `AUDIT_ON_FAILURE=allow` also after a failed write. */
  audited: boolean;
}

/** A request with a verified token. */
export interface AuthenticatedRequest extends RequestContext {
  principal: Principal;
}

/** A request that the pipeline allowed: a well-formed message with an allowed operation. */
export interface AuthorizedRequest extends AuthenticatedRequest {
  readonly parsed: Extract<ParsedRequest, { ok: true }>;
  operation: Operation;
}

/** Members that are known on arrival. */
export type ReceivedFacts = Pick<
  RequestContext,
  'requestId' | 'trace' | 'clock' | 'ip' | 'client' | 'parsed'
>;

/** Creates a request context. Sets every member, so that later steps do not change the hidden class. */
export function newRequestContext(facts: ReceivedFacts): RequestContext {
  return {
    requestId: facts.requestId,
    decisionId: randomUUID(),
    trace: facts.trace,
    ip: facts.ip,
    client: facts.client,
    parsed: facts.parsed,
    clock: facts.clock,
    scheme: undefined,
    principal: undefined,
    heldToken: undefined,
    operation: undefined,
    decision: undefined,
    refused: undefined,
    rateLimitRule: undefined,
    listing: undefined,
    outcome: undefined,
    audited: false,
  };
}

/** @throws Error if no step authenticated the request: the request is denied. */
export function requireAuthenticated(requestContext: RequestContext): AuthenticatedRequest {
  if (!requestContext.principal) throw new Error('A request reached a step before it was authenticated');
  return requestContext as AuthenticatedRequest;
}

/** @throws Error if no step allowed the request: the request is denied. */
export function requireAuthorized(requestContext: RequestContext): AuthorizedRequest {
  const { parsed, operation, decision } = requireAuthenticated(requestContext);
  const isAllowed = operation && (operation.kind !== 'call' || decision?.effect === 'allow');
  if (!parsed.ok || !isAllowed) throw new Error('A request was to be answered before it was authorized');
  return requestContext as AuthorizedRequest;
}

/** The message. @throws AppError for a faulty body. */
export function messageOf(requestContext: RequestContext): Message {
  if (!requestContext.parsed.ok) throw requestContext.parsed.fault;
  return requestContext.parsed.message;
}

/** Scheme and authority of an absolute request target (RFC 9112 section 3.2.2). */
export interface TargetOrigin {
  readonly scheme: 'http' | 'https';
  /** Host and port as sent, checked like the `Host` header. */
  readonly authority: string;
}

/** HTTP request of the MCP endpoint. Requests of other routes have no request context. */
export interface GateRequest {
  requestContext?: RequestContext;
  /** Set for an absolute target; `url` then holds its path. */
  targetOrigin?: TargetOrigin;
}

/** @throws Error if a guarded route has no request context: the request is denied. */
export function requestContextOf(request: GateRequest): RequestContext {
  if (!request.requestContext) throw new Error('A guarded route was reached without a request context');
  return request.requestContext;
}
