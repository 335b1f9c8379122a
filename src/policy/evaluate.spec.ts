import fc from 'fast-check';
import type { Assurance, Decision, Deny, Target } from '../core/decision.js';
import type { Principal } from '../core/principal.js';
import type { PolicySettings } from '../config/settings.js';
import type { ProtectedTarget } from './access-rule.js';
import { readAccessRule, RequireAssurance, RequireRoles, RequireScopes } from './decorators.js';
import { compilePolicy } from './compile-policy.js';
import { callerOf, evaluate as decide } from './evaluate.js';
import { principal } from '../../test/support/principals.js';

const NOW = 1_800_000_000;

type PolicyRules = Pick<PolicySettings, 'allowList' | 'requireHuman'>;

/** One target under its access rule and the variables of the operator. */
function evaluate(
  who: Principal,
  asked: Target | ProtectedTarget,
  rules: PolicyRules,
  now: number,
): Decision {
  const policy = compilePolicy(rules, 'rule' in asked ? [asked] : [], undefined, []);
  return decide(callerOf(who, policy, { now: now * 1000, ip: '192.0.2.1' }), asked);
}

const NAMES = ['a', 'b', 'c', 'd'];
const names = fc.uniqueArray(fc.constantFrom(...NAMES));
const some = fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 });

const principals = fc.record({
  scopes: names,
  roles: names,
  kind: fc.constantFrom('human', 'workload'),
  acr: names,
  authenticatedAt: fc.option(fc.integer({ min: NOW - 10, max: NOW + 70 })),
});
const assurances = fc.option(
  fc.record({ acr: names, maxAgeSeconds: fc.option(fc.integer({ min: 1, max: 10 })) }),
);
const rules = fc.record({
  scopes: names,
  roles: fc.array(some, { maxLength: 3 }),
  assurance: assurances,
  allowWorkload: fc.boolean(),
});
const policies = fc.record({
  allowList: fc.oneof(fc.constant('*' as const), fc.constantFrom(new Set(['tool']), new Set(['other']))),
  requireHuman: fc.boolean(),
});

function target(rule: Partial<ProtectedTarget['rule']>): ProtectedTarget {
  const whole = {
    scopes: [],
    roles: [],
    assurance: null,
    allowWorkload: false,
    source: 'Tools.tool',
    ...rule,
  };
  return { kind: 'tool', name: 'tool', rule: whole };
}

const OPEN: PolicyRules = { allowList: '*', requireHuman: true };
const GOLD: Assurance = { acr: ['gold', 'platinum'], maxAgeSeconds: null };
const FRESH: Assurance = { acr: [], maxAgeSeconds: 300 };
const GOLD_AND_FRESH: Assurance = { acr: ['gold'], maxAgeSeconds: 300 };
const ago = (seconds: number) => ({ authenticatedAt: NOW - seconds });

it.each([
  ['nothing asked, nothing had', {}, {}, OPEN, 'allow'],
  ['every scope', { scopes: ['a', 'b'] }, { scopes: ['a', 'b'] }, OPEN, 'allow'],
  ['one scope of two', { scopes: ['a'] }, { scopes: ['a', 'b'] }, OPEN, 'scope_missing'],
  ['a scope in another case', { scopes: ['A'] }, { scopes: ['a'] }, OPEN, 'scope_missing'],
  ['a scope as a role', { roles: ['a'] }, { scopes: ['a'] }, OPEN, 'scope_missing'],
  ['any role of a group', { roles: ['b'] }, { roles: [['a', 'b']] }, OPEN, 'allow'],
  ['one group of two', { roles: ['b'] }, { roles: [['b'], ['c']] }, OPEN, 'role_missing'],
  [
    'neither scope nor role: what no scope cures comes first',
    {},
    { scopes: ['a'], roles: [['a']] },
    OPEN,
    'role_missing',
  ],
  ['a workload', { kind: 'workload' }, {}, OPEN, 'human_required'],
  ['a workload that may', { kind: 'workload' }, { allowWorkload: true }, OPEN, 'allow'],
  [
    'a workload that may, without the scope',
    { kind: 'workload' },
    { allowWorkload: true, scopes: ['a'] },
    OPEN,
    'scope_missing',
  ],
  ['a workload where none is minded', { kind: 'workload' }, {}, { ...OPEN, requireHuman: false }, 'allow'],
  [
    'off the list',
    { scopes: ['a'] },
    { scopes: ['a'] },
    { ...OPEN, allowList: new Set(['tools']) },
    'tool_not_allowed',
  ],
  [
    'off the list comes before all else',
    { kind: 'workload' },
    { scopes: ['a'] },
    { ...OPEN, allowList: new Set<string>() },
    'tool_not_allowed',
  ],
  ['any context of the demand', { acr: ['platinum'] }, { assurance: GOLD }, OPEN, 'allow'],
  ['one of several contexts', { acr: ['x', 'gold'] }, { assurance: GOLD }, OPEN, 'allow'],
  ['another context', { acr: ['silver'] }, { assurance: GOLD }, OPEN, 'assurance_insufficient'],
  ['a context in another case', { acr: ['Gold'] }, { assurance: GOLD }, OPEN, 'assurance_insufficient'],
  ['a part of a context', { acr: ['go'] }, { assurance: GOLD }, OPEN, 'assurance_insufficient'],
  ['no context', ago(0), { assurance: GOLD }, OPEN, 'assurance_insufficient'],
  [
    'a role and a scope as a context',
    { roles: ['gold'], scopes: ['gold'] },
    { assurance: GOLD },
    OPEN,
    'assurance_insufficient',
  ],
  ['an authentication of just now', ago(0), { assurance: FRESH }, OPEN, 'allow'],
  ['as old as it may be', ago(300), { assurance: FRESH }, OPEN, 'allow'],
  ['a second older', ago(301), { assurance: FRESH }, OPEN, 'assurance_insufficient'],
  ['at an unknown time', { acr: ['gold'] }, { assurance: FRESH }, OPEN, 'assurance_insufficient'],
  [
    'at what is no time',
    { authenticatedAt: Number.NaN },
    { assurance: FRESH },
    OPEN,
    'assurance_insufficient',
  ],
  ['by a clock a minute ahead', ago(-60), { assurance: FRESH }, OPEN, 'allow'],
  ['in the future', ago(-61), { assurance: FRESH }, OPEN, 'assurance_insufficient'],
  ['in the far future', { authenticatedAt: 2 ** 53 }, { assurance: FRESH }, OPEN, 'assurance_insufficient'],
  ['at any time, where none is asked for', ago(-9999), { assurance: null }, OPEN, 'allow'],
  ['in context and in time', { acr: ['gold'], ...ago(9) }, { assurance: GOLD_AND_FRESH }, OPEN, 'allow'],
  [
    'in context only',
    { acr: ['gold'], ...ago(301) },
    { assurance: GOLD_AND_FRESH },
    OPEN,
    'assurance_insufficient',
  ],
  [
    'in time only',
    { acr: ['platinum'], ...ago(9) },
    { assurance: GOLD_AND_FRESH },
    OPEN,
    'assurance_insufficient',
  ],
  [
    'neither assurance nor scope: one challenge asks for both',
    {},
    { scopes: ['a'], assurance: GOLD },
    OPEN,
    'assurance_insufficient',
  ],
  [
    'assurance without the scope',
    { acr: ['gold'] },
    { scopes: ['a'], assurance: GOLD },
    OPEN,
    'scope_missing',
  ],
  [
    'neither assurance nor role: what no login cures comes first',
    {},
    { roles: [['a']], assurance: GOLD },
    OPEN,
    'role_missing',
  ],
  [
    'a workload, where a person is to have authenticated',
    { kind: 'workload' },
    { assurance: GOLD },
    OPEN,
    'human_required',
  ],
  [
    'a workload where none is minded, whatever its token says: it is nobody who could have authenticated',
    { kind: 'workload', acr: ['gold'], ...ago(9) },
    { assurance: GOLD_AND_FRESH },
    { ...OPEN, requireHuman: false },
    'human_required',
  ],
] as const)('evaluate: %s', (_name, who, rule, policy, expected) => {
  const decision = evaluate(principal(who), target(rule), policy, NOW);
  expect(decision.effect === 'allow' ? 'allow' : decision.reason).toBe(expected);
});

it('evaluate denies a target without a rule as unknown', () => {
  const decision = evaluate(
    principal({ scopes: NAMES, roles: NAMES }),
    { kind: 'tool', name: 'toString' },
    OPEN,
    NOW,
  );
  expect(decision).toMatchObject({ effect: 'deny', reason: 'tool_unknown', rule: 'registry' });
});

it('evaluate does not allow a resource with the name of an allowed tool', () => {
  const resource = { ...target({}), kind: 'resource' as const };
  const under = (label: string) =>
    evaluate(principal({}), resource, { ...OPEN, allowList: new Set([label]) }, NOW).effect;
  expect(under('tool')).toBe('deny');
  expect(under('resource:tool')).toBe('allow');
});

it.each<[string, Partial<Principal>, Assurance | null]>([
  ['both', {}, GOLD_AND_FRESH],
  ['the context', { ...ago(9) }, { acr: ['gold'], maxAgeSeconds: null }],
  ['the age', { acr: ['gold'], ...ago(999) }, { acr: [], maxAgeSeconds: 300 }],
])('evaluate reports the missing assurance: %s', (_name, who, assurance) => {
  const asked = target({ scopes: ['a', 'b'], roles: [['r']], assurance: GOLD_AND_FRESH });
  const required = { scopes: ['a', 'b'], roles: [['r']], assurance: GOLD_AND_FRESH };
  const denied = (more: Partial<Principal>) => evaluate(principal({ ...who, ...more }), asked, OPEN, NOW);
  expect(denied({ scopes: ['a'], roles: ['r'] })).toStrictEqual({
    effect: 'deny',
    reason: 'assurance_insufficient',
    rule: 'Tools.tool',
    required,
    missing: { scopes: ['b'], roles: [], assurance },
  });
  expect(denied({})).toStrictEqual({
    effect: 'deny',
    reason: 'role_missing',
    rule: 'Tools.tool',
    required,
    missing: { scopes: ['a', 'b'], roles: [['r']], assurance },
  });
});

it('evaluate reports a met assurance as required and not missing', () => {
  const asked = target({ scopes: ['a'], assurance: GOLD_AND_FRESH });
  const who = { acr: ['gold'], ...ago(9) };
  expect(evaluate(principal(who), asked, OPEN, NOW)).toMatchObject({
    reason: 'scope_missing',
    required: { assurance: GOLD_AND_FRESH },
    missing: { assurance: null },
  });
  expect(evaluate(principal({ ...who, scopes: ['a'] }), asked, OPEN, NOW)).toMatchObject({
    effect: 'allow',
    required: { assurance: GOLD_AND_FRESH },
  });
});

it('evaluate names the rule in place of the variable for a workload that cannot have the assurance', () => {
  const asked = target({ assurance: GOLD });
  const rule = (requireHuman: boolean) =>
    evaluate(principal({ kind: 'workload' }), asked, { ...OPEN, requireHuman }, NOW).rule;
  expect([rule(true), rule(false)]).toEqual(['AUTH_REQUIRE_HUMAN', 'Tools.tool']);
});

it('evaluate allows exactly if list, kind, assurance, every scope and a role of each group match', () => {
  fc.assert(
    fc.property(principals, rules, policies, (who, rule, policy) => {
      const { assurance } = rule;
      const at = who.authenticatedAt;
      const expected =
        (policy.allowList === '*' || policy.allowList.has('tool')) &&
        (who.kind === 'human' || rule.allowWorkload || !policy.requireHuman) &&
        (assurance === null ||
          (who.kind === 'human' &&
            (assurance.acr.length === 0 || assurance.acr.some((one) => who.acr.includes(one))) &&
            (assurance.maxAgeSeconds === null ||
              (at !== null && at + assurance.maxAgeSeconds >= NOW && at <= NOW + 60)))) &&
        rule.scopes.every((scope) => who.scopes.includes(scope)) &&
        rule.roles.every((group) => group.some((role) => who.roles.includes(role)));
      const decision = evaluate(principal(who as Partial<Principal>), target(rule), policy, NOW);
      expect(decision.effect === 'allow').toBe(expected);
    }),
    { numRuns: 5000 },
  );
});

it('evaluate never denies an allowed call for more scopes, roles and contexts, or fewer requirements', () => {
  fc.assert(
    fc.property(principals, rules, policies, names, names, names, (who, rule, policy, scopes, roles, acr) => {
      const asked = target(rule);
      fc.pre(evaluate(principal(who as Partial<Principal>), asked, policy, NOW).effect === 'allow');
      const richer = {
        ...who,
        scopes: [...who.scopes, ...scopes],
        roles: [...who.roles, ...roles],
        acr: [...who.acr, ...acr],
      };
      expect(evaluate(principal(richer as Partial<Principal>), asked, policy, NOW).effect).toBe('allow');
      for (const assurance of [rule.assurance, null]) {
        const milder = target({
          ...rule,
          scopes: rule.scopes.slice(1),
          roles: rule.roles.slice(1),
          assurance,
        });
        expect(evaluate(principal(who as Partial<Principal>), milder, policy, NOW).effect).toBe('allow');
      }
    }),
  );
});

it('evaluate never allows a denied call for an additional requirement', () => {
  type Names = [string, ...string[]];
  const acr = some.map((one) => one as Names);
  const maxAge = fc.integer({ min: 1, max: 10 });
  const requirements = fc.oneof(
    some.map((scopes) => RequireScopes(...(scopes as Names))),
    some.map((roles) => RequireRoles(...(roles as Names))),
    fc
      .oneof(fc.record({ acr }), fc.record({ maxAge }), fc.record({ acr, maxAge }))
      .map((requirement) => RequireAssurance(requirement)),
  );
  const ruled = (decorators: readonly (ClassDecorator & MethodDecorator)[]) => {
    class Tools {
      method(): void {}
    }
    const descriptor = Object.getOwnPropertyDescriptor(Tools.prototype, 'method') as PropertyDescriptor;
    for (const one of decorators) one(Tools.prototype, 'method', descriptor);
    return target(readAccessRule(Tools, 'method'));
  };
  const seen = new Set<string>();
  fc.assert(
    fc.property(
      principals,
      policies,
      fc.array(requirements, { maxLength: 3 }),
      requirements,
      (who, policy, declared, more) => {
        const base = declared.length > 0 ? declared : [RequireScopes('a')];
        let before: ProtectedTarget;
        let after: ProtectedTarget;
        try {
          [before, after] = [ruled(base), ruled([...base, more])];
        } catch {
          return; // No authentication satisfies all of them, which prevents startup.
        }
        const decide = (asked: ProtectedTarget) =>
          evaluate(principal(who as Partial<Principal>), asked, policy, NOW).effect;
        seen.add(`${decide(before)} ${decide(after)}`);
        expect(`${decide(before)} ${decide(after)}`).not.toBe('deny allow');
      },
    ),
    { numRuns: 1000 },
  );
  expect([...seen].sort()).toEqual(['allow allow', 'allow deny', 'deny deny']);
});

it('evaluate reports exactly the missing scopes', () => {
  fc.assert(
    fc.property(principals, rules, (who, rule) => {
      const decision = evaluate(principal(who as Partial<Principal>), target(rule), OPEN, NOW);
      fc.pre(decision.effect === 'deny' && decision.reason === 'scope_missing');
      const { missing } = decision as Deny;
      const cured = principal({ ...who, scopes: [...who.scopes, ...missing.scopes] } as Partial<Principal>);
      expect(evaluate(cured, target(rule), OPEN, NOW).effect).toBe('allow');
    }),
  );
});

it('evaluate reports the assurance that a single new token needs', () => {
  fc.assert(
    fc.property(principals, rules, (who, rule) => {
      const decision = evaluate(principal(who as Partial<Principal>), target(rule), OPEN, NOW);
      fc.pre(decision.effect === 'deny' && decision.reason === 'assurance_insufficient');
      const { required, missing } = decision as Deny;
      expect(missing.assurance).not.toBeNull();
      const facts = { ...who, scopes: required.scopes, acr: required.assurance?.acr.slice(0, 1) ?? [] };
      const cured = principal({ ...facts, authenticatedAt: NOW } as Partial<Principal>);
      expect(evaluate(cured, target(rule), OPEN, NOW).effect).toBe('allow');
    }),
  );
});
