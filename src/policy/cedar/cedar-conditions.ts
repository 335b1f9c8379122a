/** Evaluates Cedar rules. The rules of each target are selected at load, so a decision evaluates no others. */
import type * as Cedar from '@cedar-policy/cedar-wasm/nodejs';
import { plainAddress } from '../../lib/ip-addresses.js';
import { targetLabel } from '../../core/decision.js';
import type { Principal } from '../../core/principal.js';
import type { ProtectedTarget } from '../access-rule.js';
import type { CedarEngine, CedarRule } from './cedar-file.js';
import { ACTION_GROUPS } from './cedar-schema.js';
import {
  argumentsType,
  readsOf,
  toArguments,
  UnfitValue,
  type Reads,
  type RecordType,
} from './cedar-types.js';
import type { CallerConditions, Environment, Conditions, Failed } from '../policy.js';

const GATE = { type: 'Gate', id: 'gate' };
/** Rules only forbid; without a permit Cedar denies every request. */
const PERMIT_ALL = { id: 'floor', text: 'permit(principal, action, resource);' };
const CANNOT_BE_EVALUATED = 'A condition of the policy could not be evaluated';
const UNFIT = 'A condition of the policy could not be evaluated: an argument is not of its declared type';

/** Rules that are evaluated together. */
interface RuleSet {
  /** Id in the engine. */
  readonly id: string;
  /** In the order of files and lines. */
  readonly rules: readonly CedarRule[];
  readonly reads: Reads;
  readonly looksAtAction: boolean;
}

/** IANA names: of the effective policy, and with shadow members applied. */
export interface TimeZones {
  readonly enforced: string;
  readonly shadow: string;
}

/** By shadow mode and presence of arguments; undefined without rules. */
interface TargetRules {
  readonly type: RecordType;
  readonly sets: Readonly<Record<'list' | 'call' | 'listShadow' | 'callShadow', RuleSet | undefined>>;
}

export class CedarConditions implements Conditions {
  private readonly targets = new Map<string, TargetRules>();
  private readonly sets = new Map<string, RuleSet>();
  private readonly clocks: Readonly<Record<keyof TimeZones, Intl.DateTimeFormat>>;
  /** Undefined after disposal. */
  private cedar: CedarEngine | undefined;

  /**
   * @param cedar an engine of this object only.
   * @param start creates a new engine.
   * @param rules in the order of files and lines, checked against the schema.
   */
  constructor(
    cedar: CedarEngine,
    private readonly start: () => CedarEngine,
    rules: readonly CedarRule[],
    targets: readonly ProtectedTarget[],
    timeZones: TimeZones,
  ) {
    this.cedar = cedar;
    this.clocks = { enforced: clockIn(timeZones.enforced), shadow: clockIn(timeZones.shadow) };
    for (const target of targets) {
      const label = targetLabel(target);
      const own = rules.filter(({ labels }) => labels.has(label));
      if (own.length === 0) continue;
      const setOf = (shadow: boolean, withArguments: boolean) =>
        this.ruleSet(
          cedar,
          own.filter((rule) => (shadow || !rule.isShadow) && (withArguments || !rule.needsArguments)),
        );
      this.targets.set(label, {
        type: argumentsType(target.inputSchema),
        sets: {
          list: setOf(false, false),
          call: setOf(false, true),
          listShadow: setOf(true, false),
          callShadow: setOf(true, true),
        },
      });
    }
  }

  forCaller(
    principal: Principal,
    scopes: readonly string[],
    environment: Environment,
    shadow: boolean,
  ): CallerConditions {
    let facts: CallerFacts | undefined;
    const clock = this.clocks[shadow ? 'shadow' : 'enforced'];
    const caller = () => (facts ??= new CallerFacts(principal, scopes, environment, clock));
    const known = new Map<string, Failed | undefined>();
    return {
      failing: (target) => {
        const own = this.targets.get(targetLabel(target));
        if (!own) return undefined;
        const given = environment.arguments;
        const set = given
          ? own.sets[shadow ? 'callShadow' : 'call']
          : own.sets[shadow ? 'listShadow' : 'list'];
        if (!set) return undefined;
        // Rules that read neither action nor arguments have the same result for every target.
        const key = given || set.looksAtAction ? undefined : set.id;
        if (key !== undefined && known.has(key)) return known.get(key);
        const failed = this.evaluate(set, target, own.type, caller);
        if (key !== undefined) known.set(key, failed);
        return failed;
      },
    };
  }

  /** Disposes the engine; later evaluations forbid. */
  dispose(): void {
    this.cedar = undefined;
  }

  private ruleSet(cedar: CedarEngine, rules: readonly CedarRule[]): RuleSet | undefined {
    if (rules.length === 0) return undefined;
    const key = JSON.stringify(rules.map(({ source }) => source));
    const known = this.sets.get(key);
    if (known) return known;
    const set: RuleSet = {
      id: String(this.sets.size),
      rules,
      reads: readsOf(rules.flatMap(({ paths }) => paths)),
      looksAtAction: rules.some(({ looksAtAction }) => looksAtAction),
    };
    preparse(set, cedar);
    this.sets.set(key, set);
    return set;
  }

  /** Loaded rules can be evaluated. If one crashes the engine anyway, a new engine serves the others. */
  private restart(): void {
    if (!this.cedar) return;
    this.cedar = this.start();
    for (const set of this.sets.values()) preparse(set, this.cedar);
  }

  /** Every failure here forbids. */
  private evaluate(
    set: RuleSet,
    target: ProtectedTarget,
    type: RecordType,
    factsOf: () => CallerFacts,
  ): Failed | undefined {
    const unknown: Failed = { rule: set.rules[0]?.source ?? PERMIT_ALL.id, message: CANNOT_BE_EVALUATED };
    let call: Cedar.StatefulAuthorizationCall;
    try {
      const caller = factsOf();
      call = {
        principal: caller.uid,
        action: { type: 'Action', id: targetLabel(target) },
        resource: GATE,
        context: caller.context(type, set.reads),
        preparsedPolicySetId: set.id,
        entities: [...caller.entities, actionEntity(target)],
      };
    } catch (error) {
      return error instanceof UnfitValue ? { ...unknown, message: UNFIT } : unknown;
    }
    let answer: Cedar.AuthorizationAnswer | undefined;
    try {
      answer = this.cedar?.statefulIsAuthorized(call);
    } catch {
      this.restart();
    }
    if (answer?.type !== 'success') return unknown;
    const { decision, diagnostics } = answer.response;
    // In Cedar a failing rule does not forbid; here it does.
    const [error] = diagnostics.errors;
    if (error) return { rule: error.policyId, message: CANNOT_BE_EVALUATED };
    if (decision === 'allow') return undefined;
    const rule = set.rules.find(({ source }) => diagnostics.reason.includes(source));
    return rule ? { rule: rule.source, message: rule.message } : unknown;
  }
}

function preparse({ id, rules }: RuleSet, cedar: CedarEngine): void {
  const staticPolicies = Object.fromEntries([
    [PERMIT_ALL.id, PERMIT_ALL.text],
    ...rules.map(({ source, text }) => [source, text] as const),
  ]);
  const parsed = cedar.preparsePolicySet(id, { staticPolicies });
  if (parsed.type === 'failure') throw new Error(parsed.errors.map(({ message }) => message).join('; '));
}

function actionEntity({ kind, ...target }: ProtectedTarget): Cedar.EntityJson {
  return {
    uid: { type: 'Action', id: targetLabel({ kind, ...target }) },
    attrs: {},
    parents: [{ type: 'Action', id: ACTION_GROUPS[kind] }],
  };
}

/** Caller as Cedar entities. */
class CallerFacts {
  readonly uid: Cedar.TypeAndId;
  readonly entities: readonly Cedar.EntityJson[];
  private readonly environmentContext: Cedar.Context;

  constructor(
    principal: Principal,
    scopes: readonly string[],
    private readonly environment: Environment,
    clock: Intl.DateTimeFormat,
  ) {
    const { issuer, subject, clientId, kind, roles } = principal;
    this.uid =
      kind === 'human'
        ? { type: 'Person', id: `${issuer} ${subject}` }
        : { type: 'Workload', id: `${issuer} ${clientId}` };
    const parents = roles.map((id) => ({ type: 'Role', id }));
    this.entities = [
      { uid: this.uid, attrs: attributesOf(principal, scopes), parents },
      ...parents.map((uid) => ({ uid, attrs: {}, parents: [] })),
    ];
    const ip = plainAddress(environment.ip);
    this.environmentContext = {
      time: timeOf(environment.now, clock),
      ...(ip !== undefined && { ip: { __extn: { fn: 'ip', arg: ip } } }),
    };
  }

  /** @throws UnfitValue */
  context(type: RecordType, reads: Reads): Cedar.Context {
    const given = this.environment.arguments;
    return given
      ? { ...this.environmentContext, arguments: toArguments(type, given, reads) }
      : this.environmentContext;
  }
}

function attributesOf(principal: Principal, scopes: readonly string[]): Record<string, Cedar.CedarValueJson> {
  const { issuer, subject, clientId, tenant, roles, acr, authenticatedAt, delegation } = principal;
  const actor = delegation.findLast(({ type }) => type === 'agent');
  return {
    iss: issuer,
    sub: subject,
    client_id: clientId,
    ...(tenant !== null && { tenant }),
    scopes: [...scopes],
    roles: [...roles],
    acr: [...acr],
    ...(authenticatedAt !== null && {
      auth_time: datetime(authenticatedAt * 1000),
    }),
    ...(actor && { actor: { iss: actor.iss, sub: actor.sub } }),
  };
}

/** Created once: creation costs more than a decision. */
function clockIn(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-GB', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    weekday: 'long',
    hourCycle: 'h23',
  });
}

function timeOf(now: number, clock: Intl.DateTimeFormat): Cedar.CedarValueJson {
  const parts = clock.formatToParts(now);
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((one) => one.type === type)?.value ?? '';
  return {
    now: datetime(now),
    hour: Number(part('hour')),
    minute: Number(part('minute')),
    weekday: part('weekday').toLowerCase(),
    date: `${part('year')}-${part('month')}-${part('day')}`,
  };
}

/** @throws RangeError for an invalid time. */
function datetime(milliseconds: number): Cedar.CedarValueJson {
  return { __extn: { fn: 'datetime', arg: new Date(milliseconds).toISOString() } };
}
