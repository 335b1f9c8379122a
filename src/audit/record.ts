/** Builds the records of the audit log: caller, user, target and decision. */
import { NO_REQUIREMENTS, targetLabel, type Decision, type Shadow, type Target } from '../core/decision.js';
import type { RequestContext, Listing, Outcome, OutcomeStatus } from '../core/request-context.js';
import { personOf, type DelegationLink } from '../core/principal.js';
import type { Reason } from '../core/reasons.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';
import { wellFormed } from '../lib/well-formed.js';
import { redactTokens } from '../lib/redact-tokens.js';
import { canonicalJson, digestOf } from '../lib/canonical-json.js';
import {
  recordedRequirements,
  RecordFragmentCache,
  type RecordedPrincipal,
  type RecordedRequirements,
} from './record-fragment-cache.js';
import type { PublicJwk } from './signing-key.js';

export const EVENTS = ['authentication', 'list', 'decision', 'outcome', 'change', 'checkpoint'] as const;
export type AuditEvent = (typeof EVENTS)[number];

/** A record without the members set by the audit log: `v`, `seq`, `time`, `instance`, `prev` and `hash`. */
export interface AuditRecord {
  readonly id: string;
  readonly event: AuditEvent;
  /**
   * RFC 3339 time of the event; only in a record that is written late. The audit log sets the time of all
   * others.
   */
  readonly time?: string;
  readonly decision: 'allow' | 'deny' | null;
  readonly reason: Reason | null;
  readonly rule: string | null;
  /** Null for records without a request (changes, checkpoints). */
  readonly request: {
    readonly id: string;
    readonly trace_id: string | null;
    readonly method: string | null;
    readonly ip: string;
    readonly client: string | null;
  } | null;
  readonly tool: string | null;
  readonly arguments_sha256: string | null;
  readonly principal: RecordedPrincipal | null;
  /** The user at the root of the delegation chain; null for a workload. */
  readonly on_behalf_of: string | null;
  readonly delegation: readonly DelegationLink[];
  readonly required: RecordedRequirements;
  readonly missing: RecordedRequirements;
  readonly outcome: { readonly status: RecordedStatus; readonly duration_ms: number | null } | null;
  readonly decision_id: string | null;
  /** Arguments that the tool declares with `@Audit` and the caller sent. */
  readonly arguments?: JsonObject;
  /** Number of actors omitted after the root; only if the token's chain exceeds the recorded length. */
  readonly delegation_omitted?: number;
  /** Digest of the policy that decided; absent without a policy. */
  readonly policy?: string;
  /** Decision of the shadow rules if it differs; a null reason means allow. */
  readonly shadow?: Shadow;
  /** Counts of a list; `would_hide` and `would_show` apply the shadow rules. */
  readonly list?: {
    readonly shown: number;
    readonly hidden: number;
    readonly would_hide?: number;
    readonly would_show?: number;
  };
  /** Only in a change. */
  readonly change?: Change;
  /** Only in a checkpoint. */
  readonly checkpoint?: Checkpoint;
}

/** A record as stored in an audit log. */
export interface StoredRecord extends AuditRecord {
  readonly v: 1;
  /** Starts at 1 and continues over files and restarts. */
  readonly seq: number;
  /** RFC 3339, UTC, with milliseconds, so that text order is time order. */
  readonly time: string;
  /** Identity of the chain. */
  readonly instance: string;
  /** `hash` of the previous record; null in the first. */
  readonly prev: string | null;
  readonly hash: string;
}

/** `interrupted`: the server ended before the call; recorded at the next start. */
export const STATUSES = [
  'ok',
  'tool_error',
  'failed',
  'cancelled',
  'interrupted',
] as const satisfies readonly (OutcomeStatus | 'interrupted')[];
export type RecordedStatus = (typeof STATUSES)[number];

/** Names, or count and digest of a long list. */
export type RecordedNames = readonly string[] | { readonly names: number; readonly sha256: string };

/** A change that affects decisions or the audit log itself. */
export type Change =
  | {
      readonly what: 'start';
      readonly version: string;
      readonly host: string;
      readonly pid: number;
      /** Settings that affect decisions; long or secret values as digests. */
      readonly configuration: JsonObject;
      /** Names of the members changed since the previous run; null without one. */
      readonly changed: readonly string[] | null;
    }
  /** A period in which records could not be written. */
  | {
      readonly what: 'gap';
      /** Time of the first unwritten record, and time when writing worked again; RFC 3339. */
      readonly since: string;
      readonly until: string;
      /** Number of late records directly after this one. */
      readonly late: number;
      /** Number of lost records per event. */
      readonly lost: Readonly<Partial<Record<AuditEvent, number>>>;
    }
  /** The policy with this digest takes effect. */
  | {
      readonly what: 'policy';
      readonly from: string | null;
      readonly to: string;
      /** The author named in `policy.yaml`; null if absent. */
      readonly author: string | null;
      readonly files: readonly { readonly name: string; readonly sha256: string }[];
    }
  /** The scopes of the first challenge and of `scopes_supported` change. */
  | { readonly what: 'challenge_scopes'; readonly from: RecordedNames; readonly to: RecordedNames }
  /** Tokens are revoked, or a revocation is withdrawn. */
  | {
      readonly what: 'revocation';
      readonly action: 'revoked' | 'withdrawn';
      readonly revocation: {
        readonly id: string;
        readonly kind: string;
        readonly iss: string;
        /**
         * Subject, client, session or token that is revoked; pseudonymized for users if pseudonyms are on.
         */
        readonly value: string;
        readonly issued_before: number;
      };
      readonly by: string;
      readonly reason: string | null;
    }
  /** A security event from a transmitter (RFC 8417); one record per event of a message. */
  | {
      readonly what: 'signal';
      readonly transmitter: string;
      /** `jti` of the message. */
      readonly jti: string;
      /** Full URI of the event. */
      readonly event: string;
      readonly action: 'revoked' | 'acknowledged';
      /** Ids of the resulting revocations; each has its own record when it takes effect. */
      readonly revocations: readonly string[];
      /** Why the event had no effect; null if it had one. */
      readonly why: string | null;
    }
  /** Tools of an upstream were pinned, accepted, withheld or restored. */
  | {
      readonly what: 'upstream';
      readonly upstream: string;
      /**
       * `pinned`: at first use; `accepted`: by the operator; `withheld`: the definition differs from its
       * pin.
       */
      readonly action: 'pinned' | 'accepted' | 'withheld' | 'restored';
      /** The upstream's own names, with the accepted and the found digest of the definition. */
      readonly tools: readonly {
        readonly tool: string;
        readonly from: string | null;
        readonly to: string | null;
      }[];
      /** Number of further tools that are not listed. */
      readonly more?: number;
    }
  /**
   * Rates, quotas and DPoP proofs: `degraded` while the store does not answer and this instance counts
   * alone.
   */
  | {
      readonly what: 'rate_limit_store';
      readonly state: 'shared' | 'degraded';
      /** The failure of the store; null for `shared`. */
      readonly cause: string | null;
    }
  /** Another key signs the checkpoints after this record. */
  | { readonly what: 'key'; readonly from: string; readonly to: string }
  /** Expired files that are deleted after this record. */
  | {
      readonly what: 'retention';
      readonly removed: readonly { file: string; from: number; to: number; hash: string }[];
    };

/** A signed position in the audit log. A change before it invalidates the signature. */
export interface Checkpoint {
  /** `open`: start of a file; `rotate` and `close`: its end; `interval`: in between. */
  readonly kind: 'open' | 'interval' | 'rotate' | 'close';
  /** Thumbprint of the key (RFC 7638). */
  readonly key_id: string;
  /** Only at the start and the end of a file. */
  readonly key?: PublicJwk;
  /** Ids of allowed calls that have not ended; only at the start and the end of a file. */
  readonly open?: readonly string[];
  /** Configuration of the last start; only at the start and the end of a file. */
  readonly configuration?: JsonObject;
  /** Ed25519, base64url; over the whole record without this member and `hash`. */
  readonly signature?: string;
}

/** Maximum length of recorded text from the caller, in characters. */
const MAX_TEXT = 256;

/** An allowed call, recorded before it starts. */
export function decisionRecord(
  requestContext: RequestContext,
  parts = new RecordFragmentCache(),
): AuditRecord {
  return { ...base(requestContext, parts), event: 'decision', decision: 'allow' };
}

/** A list that was sent. */
export function listRecord(requestContext: RequestContext, parts = new RecordFragmentCache()): AuditRecord {
  const { shown, hidden, shadowHiddenCount, wouldShow }: Listing = requestContext.listing ?? {
    shown: [],
    hidden: 0,
  };
  const list = {
    shown: shown.length,
    hidden,
    ...(shadowHiddenCount !== undefined && { would_hide: shadowHiddenCount }),
    ...(wouldShow !== undefined && { would_show: wouldShow }),
  };
  return { ...base(requestContext, parts), event: 'list', decision: 'allow', list };
}

/** A refusal at any step; of event `authentication` before the principal is known. */
export function refusalRecord(
  requestContext: RequestContext,
  reason: Reason,
  parts = new RecordFragmentCache(),
): AuditRecord {
  return {
    ...base(requestContext, parts),
    event: requestContext.principal ? 'decision' : 'authentication',
    decision: 'deny',
    reason,
  };
}

/**
 * Outcome of an allowed call.
 * @param decision record of the decision, whose other members are copied.
 * @param reason why the allowed call did not run; null if it ran.
 */
export function outcomeRecord(
  decision: AuditRecord,
  outcome: Outcome,
  id: string,
  reason: Reason | null = null,
): AuditRecord {
  return {
    ...decision,
    id,
    event: 'outcome',
    decision: null,
    reason,
    outcome: { duration_ms: outcome.durationMs, status: outcome.status },
    decision_id: decision.id,
  };
}

/**
 * Outcome of a call that the previous run did not finish. @param decision record as stored in the audit
 * log.
 */
export function interruptedRecord(decision: JsonObject, id: string): AuditRecord {
  // The new record gets its own position.
  const { v: _v, seq: _seq, time: _time, instance: _instance, prev: _prev, hash: _hash, ...rest } = decision;
  return {
    ...(rest as unknown as AuditRecord),
    id,
    event: 'outcome',
    decision: null,
    outcome: { status: 'interrupted', duration_ms: null },
    decision_id: decision.id as string,
  };
}

export function changeRecord(change: Change, id: string): AuditRecord {
  return { ...SYSTEM_RECORD_BASE, id, event: 'change', change };
}

export function checkpointRecord(checkpoint: Checkpoint, id: string): AuditRecord {
  return { ...SYSTEM_RECORD_BASE, id, event: 'checkpoint', checkpoint };
}

function base(requestContext: RequestContext, parts: RecordFragmentCache): AuditRecord {
  const { principal, operation, decision, parsed } = requestContext;
  const called = operation?.kind === 'call' ? operation : undefined;
  return {
    id: requestContext.decisionId,
    event: 'decision',
    decision: null,
    reason: null,
    rule: requestContext.rateLimitRule ?? decision?.rule ?? null,
    ...policyOf(requestContext),
    // Canonical member order, so that the writer does not have to sort.
    request: {
      client: requestContext.client === null ? null : bounded(requestContext.client),
      id: requestContext.requestId,
      ip: requestContext.ip,
      method: parsed.ok ? bounded(parsed.message.method) : null,
      trace_id: requestContext.trace?.id ?? null,
    },
    tool: called ? toolOf(called.target, decision) : null,
    arguments_sha256: called ? digestOf(called.arguments ?? {}) : null,
    ...(called && recordedArguments(called.target, called.arguments)),
    principal: principal ? parts.principal(principal) : null,
    on_behalf_of: principal ? personOf(principal) : null,
    delegation: principal?.delegation ?? [],
    ...(principal && principal.delegationOmitted > 0 && { delegation_omitted: principal.delegationOmitted }),
    required: parts.required(decision?.required ?? NO_REQUIREMENTS),
    missing:
      decision?.effect === 'deny' ? recordedRequirements(decision.missing) : parts.required(NO_REQUIREMENTS),
    outcome: null,
    decision_id: null,
  };
}

/** Digest of the policy and result of its shadow rules. */
function policyOf({ decision, listing }: RequestContext): Pick<AuditRecord, 'policy' | 'shadow'> {
  const policy = decision?.policy ?? listing?.policy;
  const shadow = decision?.shadow;
  return { ...(policy !== undefined && { policy }), ...(shadow && { shadow }) };
}

/** The name of an unknown target comes from the caller and is redacted. */
function toolOf(target: Target, decision: Decision | undefined): string {
  const label = targetLabel(target);
  const exists = decision && !(decision.effect === 'deny' && decision.reason === 'tool_unknown');
  return exists ? cut(label) : bounded(label);
}

const NOTHING = recordedRequirements(NO_REQUIREMENTS);
/** Members of a record without a request. */
const SYSTEM_RECORD_BASE: Omit<AuditRecord, 'id' | 'event'> = {
  decision: null,
  reason: null,
  rule: null,
  request: null,
  tool: null,
  arguments_sha256: null,
  principal: null,
  on_behalf_of: null,
  delegation: [],
  required: NOTHING,
  missing: NOTHING,
  outcome: null,
  decision_id: null,
};

/** Omits the member if the target declares no recorded arguments. */
function recordedArguments(
  { recordedArguments: names = [] }: Target,
  given: unknown,
): { arguments?: JsonObject } {
  if (names.length === 0 || !isJsonObject(given)) return {};
  const sent = names.filter((name) => Object.hasOwn(given, name));
  return { arguments: Object.fromEntries(sent.map((name) => [name, boundedValue(given[name])])) };
}

function boundedValue(value: unknown): unknown {
  if (typeof value === 'string') return bounded(value);
  return typeof value === 'object' && value !== null ? bounded(canonicalJson(value)) : value;
}

/** Redacts tokens in caller text, then truncates it. Truncating first could leave part of a token. */
function bounded(text: string): string {
  return cut(redactTokens(text));
}

/** Replaces unpaired surrogates, which other parsers reject (RFC 8785 section 3.2.2.2). */
function cut(whole: string): string {
  const text = wellFormed(whole);
  return text.length > MAX_TEXT ? `${wellFormed(text.slice(0, MAX_TEXT))}…` : text;
}
