/** One HTTP request on its way through the gate: what is known of it so far, passed along as an argument. */
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

/** What a well-formed JSON-RPC message asks for, read once and believed by every later step. */
export interface Message {
  /** Null for a notification. */
  readonly id: RequestId | null;
  readonly method: string;
  readonly params: JsonObject;
  /** `modern`: revision 2026-07-28 or later; `legacy`: 2025-11-25 or older. */
  readonly era: 'modern' | 'legacy';
  /** The revision that the client says it speaks; 2025-03-26 where it says nothing (MCP 2025-11-25, streamable HTTP). Unset for what is no MCP. */
  readonly revision?: string;
  /** The form of answer that the client accepts. Unset for what is no MCP. */
  readonly form?: AnswerForm;
  /** The whole message: what was sent, without optional members that are null. */
  readonly body: JsonObject;
}

/** The body: a message, or why it is none. `id` is the JSON-RPC id where one could be read. */
export type ParsedRequest =
  | { readonly ok: true; readonly id: RequestId | null; readonly message: Message }
  | { readonly ok: false; readonly id: RequestId | null; readonly fault: AppError };

/** How a call ended. `tool_error`: the tool, or the check of its input, said no in its own words. */
export type OutcomeStatus = 'ok' | 'tool_error' | 'failed' | 'cancelled';

export interface Outcome {
  readonly status: OutcomeStatus;
  readonly durationMs: number;
}

/** W3C Trace Context, as the caller says it. Never used for a decision. */
export interface Trace {
  readonly id: string;
  /** Whole, to be sent along with what is done for this request. */
  readonly traceparent: string;
}

/** What there are lists of (MCP, server features). */
export type ListKind = 'tools' | 'prompts' | 'resources' | 'resourceTemplates';

/** What happens with the decision: a target is called, a list is shown, or nothing that needs a record. */
export type Operation =
  | { readonly kind: 'call'; readonly target: Target; readonly arguments: unknown }
  | { readonly kind: 'list'; readonly of: ListKind }
  | { readonly kind: 'protocol' };

/** What one caller may see of one kind. */
export interface Listing {
  /** In a fixed order. */
  readonly shown: readonly Target[];
  /** How many there are besides. */
  readonly hidden: number;
  /** How many of those shown shadow rules would hide; not there where no rule is in shadow mode. */
  readonly shadowHiddenCount?: number;
  /** How many of those hidden shadow rules would show; not there where they would show none of them. */
  readonly wouldShow?: number;
  /** Digest of the operator's policy that decided; not there where there is none. */
  readonly policy?: string;
}

export interface RequestContext {
  /** Names this HTTP request in logs and records. */
  readonly requestId: string;
  /** The id of the record that this request's decision, or refusal, will have. */
  readonly decisionId: string;
  readonly trace: Trace | undefined;
  readonly ip: string;
  /** The client software, as it calls itself. Never used for a decision. */
  readonly client: string | null;
  readonly parsed: ParsedRequest;
  /** Unset: nobody asks how long it takes. */
  readonly clock?: RequestTimings;
  /** How the token was presented, once one was. */
  scheme?: AuthScheme;
  principal?: Principal;
  /** Where an upstream needs a token made out of it; nothing else ever gets hold of it. */
  heldToken?: SubjectToken;
  operation?: Operation;
  decision?: Decision;
  /** Why it was refused, as the record has it. */
  refused?: Reason;
  /** The rule of the operator's that has just counted this call as one too many. */
  rateLimitRule?: string;
  /** What a list will show, decided before it is recorded. */
  listing?: Listing;
  /** Set when the tool is started; settles, and never rejects, when the tool has really ended. */
  outcome?: Promise<Outcome>;
  /** True once the audit has taken this request's decision or refusal; under `AUDIT_ON_FAILURE=allow` also where it could not. */
  audited: boolean;
}

/** A request whose token was verified. */
export interface AuthenticatedRequest extends RequestContext {
  principal: Principal;
}

/** A request that the pipeline has let through: its message is well-formed, and what it asks for is allowed. */
export interface AuthorizedRequest extends AuthenticatedRequest {
  readonly parsed: Extract<ParsedRequest, { ok: true }>;
  operation: Operation;
}

/** The members that are known when a request arrives. */
export type ReceivedFacts = Pick<
  RequestContext,
  'requestId' | 'trace' | 'clock' | 'ip' | 'client' | 'parsed'
>;

/** The only place that makes a request context. It sets every member, so that later steps change no hidden class. */
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

/** @throws Error where no step has authenticated the request: a bug, and so a denial. */
export function requireAuthenticated(requestContext: RequestContext): AuthenticatedRequest {
  if (!requestContext.principal) throw new Error('A request reached a step before it was authenticated');
  return requestContext as AuthenticatedRequest;
}

/** @throws Error where no step has allowed the request: a bug, and so a denial. */
export function requireAuthorized(requestContext: RequestContext): AuthorizedRequest {
  const { parsed, operation, decision } = requireAuthenticated(requestContext);
  const isAllowed = operation && (operation.kind !== 'call' || decision?.effect === 'allow');
  if (!parsed.ok || !isAllowed) throw new Error('A request was to be answered before it was authorized');
  return requestContext as AuthorizedRequest;
}

/** The message, or the fault of the body thrown as the refusal that it is. */
export function messageOf(requestContext: RequestContext): Message {
  if (!requestContext.parsed.ok) throw requestContext.parsed.fault;
  return requestContext.parsed.message;
}

/** What an absolute request target says beside its path (RFC 9112 section 3.2.2). */
export interface TargetOrigin {
  readonly scheme: 'http' | 'https';
  /** Host and port as they were sent, for the same check as the `Host` header. */
  readonly authority: string;
}

/** An HTTP request of the MCP endpoint; other routes carry no request context. */
export interface GateRequest {
  requestContext?: RequestContext;
  /** Set where the target was absolute; `url` has its path alone. */
  targetOrigin?: TargetOrigin;
}

/**
 * The context of a request that must have one.
 * @throws Error where a guarded route was reached without passing the front: a bug, and so a denial.
 */
export function requestContextOf(request: GateRequest): RequestContext {
  if (!request.requestContext) throw new Error('A guarded route was reached without a request context');
  return request.requestContext;
}
