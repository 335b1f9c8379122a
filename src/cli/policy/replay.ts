/** Decides recorded requests again under another policy. */
import type { StoredRecord } from '../../audit/record.js';
import { targetLabel, type Decision } from '../../core/decision.js';
import type { Reason } from '../../core/reasons.js';
import type { JsonObject } from '../../lib/json.js';
import type { ProtectedTarget } from '../../policy/access-rule.js';
import { argumentsType } from '../../policy/cedar/cedar-types.js';
import { callerOf, evaluate } from '../../policy/evaluate.js';
import type { LoadedPolicy } from '../../policy/load-policy.js';
import { principalOfRecord } from './principals.js';

/** Denials that a policy can change; others happened earlier or later. */
const OF_POLICY: readonly (Reason | null)[] = [
  'tool_unknown',
  'tool_not_allowed',
  'role_missing',
  'human_required',
  'condition_failed',
  'assurance_insufficient',
  'scope_missing',
];
/** A truncated text is not the sent value. */
const CUT = /…$/;

export type Verdict =
  /** Not a decision of a policy. */
  | { readonly kind: 'skipped' }
  | { readonly kind: 'same' }
  /** A condition reads unrecorded arguments. */
  | { readonly kind: 'unknown'; readonly rule: string }
  | { readonly kind: 'different'; readonly difference: Difference };

export interface Difference {
  readonly id: string;
  readonly time: string;
  readonly person: string;
  readonly target: string;
  readonly before: string;
  readonly after: string;
  /** Rule with the different decision. */
  readonly rule: string;
}

/** @param candidate the policy to try. */
export function replay(record: StoredRecord, candidate: LoadedPolicy): Verdict {
  const principal = principalOfRecord(record);
  const { event, decision, reason, tool, request } = record;
  if (event !== 'decision' || !principal || typeof tool !== 'string' || !request) return { kind: 'skipped' };
  // A call that exceeded a rate, or failed to be recorded, was allowed by the policy.
  if (decision === 'deny' && !OF_POLICY.includes(reason)) return { kind: 'skipped' };
  const own = candidate.policy.targets.get(tool);
  const given = own && argumentsOnRecord(record, own.target, candidate);
  const environment = { now: Date.parse(record.time), ip: request.ip, arguments: given?.arguments };
  const caller = callerOf(principal, candidate.policy, environment);
  const again = own ? evaluate(caller, own.target) : evaluate(caller, { kind: 'tool', name: tool });
  // A denial without arguments holds for all arguments; an allow may not.
  if (again.effect === 'allow' && given?.missing !== undefined)
    return { kind: 'unknown', rule: given.missing };
  const [before, after] = [decision === 'allow' ? 'allow' : String(reason), wordOf(again)];
  if (before === after) return { kind: 'same' };
  return {
    kind: 'different',
    difference: {
      id: record.id,
      time: record.time,
      person: record.on_behalf_of ?? principal.subject,
      target: tool,
      before,
      after,
      rule: again.rule,
    },
  };
}

/** @returns `missing`: the rule that reads unrecorded arguments. */
function argumentsOnRecord(
  record: StoredRecord,
  target: ProtectedTarget,
  { cedarRules }: LoadedPolicy,
): { readonly arguments: JsonObject | undefined; readonly missing: string | undefined } {
  const known = record.arguments ?? {};
  const { members } = argumentsType(target.inputSchema);
  const isKnown = (name: string) => {
    const value = known[name];
    if (!target.recordedArguments?.includes(name)) return false;
    // Lists and objects are recorded as texts.
    return typeof value !== 'string' || (members.get(name)?.type.kind === 'String' && !CUT.test(value));
  };
  const label = targetLabel(target);
  const reading = cedarRules.filter(
    ({ labels, needsArguments, isShadow }) => labels.has(label) && needsArguments && !isShadow,
  );
  const blind = reading.find(({ reads }) => ![...reads].every(isKnown));
  return { arguments: blind ? undefined : known, missing: blind?.source };
}

function wordOf(decision: Decision): string {
  return decision.effect === 'allow' ? 'allow' : decision.reason;
}
