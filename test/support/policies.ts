/** Targets, a caller and a clock for specs of the operator's policy, and a loader of policy files from text. */
import { createHash } from 'node:crypto';
import type { Decision } from '../../src/core/decision.js';
import type { Principal } from '../../src/core/principal.js';
import type { JsonObject } from '../../src/lib/json.js';
import type { ProtectedTarget } from '../../src/policy/access-rule.js';
import { callerOf, evaluate } from '../../src/policy/evaluate.js';
import { loadPolicy, type LoadedPolicy } from '../../src/policy/load-policy.js';
import { PolicyError, type OperatorFile } from '../../src/policy/operator-files.js';
import { principal } from './principals.js';

/** A Monday, 09:30 in UTC and 10:30 in Berlin. */
export const MONDAY = Date.UTC(2026, 10, 23, 9, 30);
export const OPEN = { allowList: '*', requireHuman: true } as const;

/** A tool without requirements, except those of `more`. */
export function target(
  name: string,
  more: Omit<Partial<ProtectedTarget>, 'rule'> & { rule?: Partial<ProtectedTarget['rule']> } = {},
): ProtectedTarget {
  return {
    kind: 'tool',
    name,
    ...more,
    rule: {
      scopes: [],
      roles: [],
      assurance: null,
      allowWorkload: false,
      source: `Tools.${name}`,
      ...more.rule,
    },
  };
}

/** A JSON schema of an object. */
export const object = (properties: JsonObject, required: string[] = []): JsonObject => ({
  type: 'object',
  properties,
  required,
});

export const PAY = target('pay', {
  inputSchema: object(
    {
      amount: { type: 'integer' },
      price: { type: 'number' },
      note: { type: 'string' },
      urgent: { type: 'boolean' },
      tags: { type: 'array', items: { type: 'string' } },
      account: object({ owner: { type: 'string' } }, ['owner']),
      anything: {},
      code: { type: 'string' },
    },
    ['amount'],
  ),
  transformedProperties: ['code'],
});
export const READ = target('read', { rule: { scopes: ['read'] }, readOnly: true });
export const WRITE = target('write', { rule: { scopes: ['write'], roles: [['admin']] } });
export const BATCH = target('batch', { rule: { allowWorkload: true } });
export const GREET = target('greet', {
  kind: 'prompt',
  inputSchema: object({ name: { type: 'string' } }, ['name']),
});
export const TARGETS = [PAY, READ, WRITE, BATCH, GREET];

export const ALICE = principal({
  tenant: 'acme',
  scopes: ['read', 'write'],
  roles: ['admin'],
  authenticatedAt: MONDAY / 1000 - 60,
});
export const ROBOT: Principal = { ...ALICE, kind: 'workload', subject: 'robot', clientId: 'robot' };

const loaded: LoadedPolicy[] = [];

/** Frees the engines of all policies from {@link load}, for `afterEach`. */
export function disposePolicies(): void {
  for (const one of loaded.splice(0)) one.dispose();
}

/** Loads policy files by name. */
export function load(
  texts: Readonly<Record<string, string>>,
  targets: readonly ProtectedTarget[] = TARGETS,
): LoadedPolicy {
  const files: OperatorFile[] = Object.entries(texts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => ({ name, text, sha256: createHash('sha256').update(text).digest('hex') }));
  const one = loadPolicy(OPEN, targets, files);
  loaded.push(one);
  return one;
}

/** The errors of these files; empty if they load. */
export function faultsOf(texts: Readonly<Record<string, string>>): readonly string[] {
  try {
    load(texts);
    return [];
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return error.faults;
  }
}

export interface Asked {
  readonly as?: Partial<Principal>;
  readonly args?: JsonObject;
  readonly now?: number;
  readonly ip?: string;
}

/** The decision for a request of Alice on Monday from 10.1.2.3, with the changes in `asked`. */
export function decide(
  { policy }: LoadedPolicy,
  one: ProtectedTarget,
  { as, args, now, ip }: Asked = {},
): Decision {
  const environment = { now: now ?? MONDAY, ip: ip ?? '10.1.2.3', arguments: args };
  return evaluate(callerOf({ ...ALICE, ...as }, policy, environment), one);
}

/** `allow`, or the reason and the denying rule. */
export const short = (decision: Decision): string =>
  decision.effect === 'allow' ? 'allow' : `${decision.reason} by ${decision.rule}`;

/** A Cedar rule with the id `it`, which {@link FORBIDS} names. */
export const rule = (when: string, scope = 'principal, action, resource'): string =>
  `@id("it") forbid(${scope}) when { ${when} };`;
export const FORBIDS = 'condition_failed by a.cedar: it';
