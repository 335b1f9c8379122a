/** One line of the audit log: who did what, on whose behalf, and what was decided. Pure. */
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

/** A record before the audit log gives it its place: `v`, `seq`, `time`, `instance`, `prev` and `hash` are the audit log's. */
export interface AuditRecord {
  readonly id: string;
  readonly event: AuditEvent;
  /** RFC 3339; only in a record that is written late: the time of the event. The audit log sets the time of all others. */
  readonly time?: string;
  readonly decision: 'allow' | 'deny' | null;
  readonly reason: Reason | null;
  readonly rule: string | null;
  /** Null where nobody asked: a change, a checkpoint. */
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
  /** The person at the root of the chain; null where there is none. */
  readonly on_behalf_of: string | null;
  readonly delegation: readonly DelegationLink[];
  readonly required: RecordedRequirements;
  readonly missing: RecordedRequirements;
  readonly outcome: { readonly status: RecordedStatus; readonly duration_ms: number | null } | null;
  readonly decision_id: string | null;
  /** Those that the tool declares with `@Audit`, and that the caller sent. */
  readonly arguments?: JsonObject;
  /** Where the chain of the token is longer than is recorded: how many actors behind the root were left out. */
  readonly delegation_omitted?: number;
  /** Digest of the operator's policy that decided; not there where there is none. */
  readonly policy?: string;
  /** The decision that shadow rules would have made, where it is another one; a null reason: allowed. */
  readonly shadow?: Shadow;
  /** In a list: how many; `would_hide` and `would_show`: with the shadow rules as if they counted. */
  readonly list?: {
    readonly shown: number;
    readonly hidden: number;
    readonly would_hide?: number;
    readonly would_show?: number;
  };
  /** In a change. */
  readonly change?: Change;
  /** In a checkpoint. */
  readonly checkpoint?: Checkpoint;
}

/** A record as it stands in an audit log. */
export interface StoredRecord extends AuditRecord {
  readonly v: 1;
  /** From 1 on, over files and restarts. */
  readonly seq: number;
  /** RFC 3339, in UTC, with milliseconds: texts of that form sort as times do. */
  readonly time: string;
  /** The identity of the chain. */
  readonly instance: string;
  /** The `hash` of the record before; null in the first. */
  readonly prev: string | null;
  readonly hash: string;
}

/** `interrupted`: the server ended before the call did, and said so at its next start. */
export const STATUSES = [
  'ok',
  'tool_error',
  'failed',
  'cancelled',
  'interrupted',
] as const satisfies readonly (OutcomeStatus | 'interrupted')[];
export type RecordedStatus = (typeof STATUSES)[number];

/** Names, or the number and the digest of a long list of them. */
export type RecordedNames = readonly string[] | { readonly names: number; readonly sha256: string };

/** What alters decisions, or the audit log itself. */
export type Change =
  | {
      readonly what: 'start';
      readonly version: string;
      readonly host: string;
      readonly pid: number;
      /** What decides, by the names of the variables; digests for what is long, or secret. */
      readonly configuration: JsonObject;
      /** Names of what differs from the run before; null where there was none. */
      readonly changed: readonly string[] | null;
    }
  /** Records could not be written for a while. */
  | {
      readonly what: 'gap';
      /** When the first of them should have been written, and when writing worked again; RFC 3339. */
      readonly since: string;
      readonly until: string;
      /** Records that follow late, directly behind this one. */
      readonly late: number;
      /** Records that are lost, by event. */
      readonly lost: Readonly<Partial<Record<AuditEvent, number>>>;
    }
  /** From here on the operator's files decide that have this digest. */
  | {
      readonly what: 'policy';
      readonly from: string | null;
      readonly to: string;
      /** As `policy.yaml` names it; null where it names none. */
      readonly author: string | null;
      readonly files: readonly { readonly name: string; readonly sha256: string }[];
    }
  /** The first challenge and `scopes_supported` ask for other scopes from here on. */
  | { readonly what: 'challenge_scopes'; readonly from: RecordedNames; readonly to: RecordedNames }
  /** Tokens are out of force from here on, or in force again. */
  | {
      readonly what: 'revocation';
      readonly action: 'revoked' | 'withdrawn';
      readonly revocation: {
        readonly id: string;
        readonly kind: string;
        readonly iss: string;
        /** The subject, client, session or token that it hits; of people the pseudonym, where they have one. */
        readonly value: string;
        readonly issued_before: number;
      };
      readonly by: string;
      readonly reason: string | null;
    }
  /** A transmitter told of something (RFC 8417); one record for each event of a message. */
  | {
      readonly what: 'signal';
      readonly transmitter: string;
      /** Of the message. */
      readonly jti: string;
      /** The whole name of the event. */
      readonly event: string;
      readonly action: 'revoked' | 'acknowledged';
      /** Ids of the revocations that it caused; each has its own record where it comes into force. */
      readonly revocations: readonly string[];
      /** Why it changed nothing; null where it did. */
      readonly why: string | null;
    }
  /** Tools of an upstream were accepted, or are not those that were accepted. */
  | {
      readonly what: 'upstream';
      readonly upstream: string;
      /** `pinned`: as they were found at first use; `accepted`: by the operator; `withheld`: nobody may have them until then. */
      readonly action: 'pinned' | 'accepted' | 'withheld' | 'restored';
      /** By the upstream's own names, with the digests of their definitions: the one accepted before, and the one found. */
      readonly tools: readonly {
        readonly tool: string;
        readonly from: string | null;
        readonly to: string | null;
      }[];
      /** How many there are besides. */
      readonly more?: number;
    }
  /** Rates, quotas and DPoP proofs: `degraded` while the store does not answer and this instance counts alone. */
  | {
      readonly what: 'rate_limit_store';
      readonly state: 'shared' | 'degraded';
      /** The failure of the store; null for `shared`. */
      readonly cause: string | null;
    }
  /** Checkpoints are signed by another key from here on. */
  | { readonly what: 'key'; readonly from: string; readonly to: string }
  /** Files that were kept long enough and are deleted after this record. */
  | {
      readonly what: 'retention';
      readonly removed: readonly { file: string; from: number; to: number; hash: string }[];
    };

/** A place in the audit log that is signed: whoever changes something before it would have to sign anew. */
export interface Checkpoint {
  /** `open`: the beginning of a file; `rotate` and `close`: its end; `interval`: in between. */
  readonly kind: 'open' | 'interval' | 'rotate' | 'close';
  /** Thumbprint of the key (RFC 7638). */
  readonly key_id: string;
  /** At the beginning and the end of a file. */
  readonly key?: PublicJwk;
  /** Ids of allowed calls that have not ended; at the beginning and the end of a file. */
  readonly open?: readonly string[];
  /** As of the last start; at the beginning and the end of a file. */
  readonly configuration?: JsonObject;
  /** Ed25519, base64url; over the whole record without this member and `hash`. */
  readonly signature?: string;
}

/** What a caller chose is recorded up to this many characters. */
const MAX_TEXT = 256;

/** An allowed call, before it starts. */
export function decisionRecord(
  requestContext: RequestContext,
  parts = new RecordFragmentCache(),
): AuditRecord {
  return { ...base(requestContext, parts), event: 'decision', decision: 'allow' };
}

/** A list shown. */
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

/** A refusal, at whichever stage: before a principal was known it is one of authentication. */
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
 * How an allowed call ended.
 * @param decision its record: all but how it ended is the same.
 * @param reason why an allowed call was not run after all.
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

/** A call of a run that ended before it: told from its decision, as it stands in the audit log. */
export function interruptedRecord(decision: JsonObject, id: string): AuditRecord {
  // Its place is given anew: it is another record.
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
    // In canonical order, here and in the outcome: then nothing has to be sorted to write it.
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

/** Under which policy of the operator's it was decided, and what its shadow rules would have said. */
function policyOf({ decision, listing }: RequestContext): Pick<AuditRecord, 'policy' | 'shadow'> {
  const policy = decision?.policy ?? listing?.policy;
  const shadow = decision?.shadow;
  return { ...(policy !== undefined && { policy }), ...(shadow && { shadow }) };
}

/** The name of what exists is ours; of what does not it is the caller's. */
function toolOf(target: Target, decision: Decision | undefined): string {
  const label = targetLabel(target);
  const exists = decision && !(decision.effect === 'deny' && decision.reason === 'tool_unknown');
  return exists ? cut(label) : bounded(label);
}

const NOTHING = recordedRequirements(NO_REQUIREMENTS);
/** A record of the server's own doing. */
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

/** Nothing where none is declared, so that a record has no more members than it has to say. */
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

/** A text of the caller's: cut, and without what looks like a credential. Cut last, or half a token would stay. */
function bounded(text: string): string {
  return cut(redactTokens(text));
}

/** Half of a surrogate pair, sent or left by the cut, is no text that others can read (RFC 8785 section 3.2.2.2). */
function cut(whole: string): string {
  const text = wellFormed(whole);
  return text.length > MAX_TEXT ? `${wellFormed(text.slice(0, MAX_TEXT))}…` : text;
}
