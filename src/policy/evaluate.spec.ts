import fc from 'fast-check';
import type { Deny } from '../common/decision.js';
import type { Principal } from '../common/principal.js';
import type { ProtectedTarget } from './access-rule.js';
import { evaluate, type PolicyRules } from './evaluate.js';

const NAMES = ['a', 'b', 'c', 'd'];
const names = fc.uniqueArray(fc.constantFrom(...NAMES));
const some = fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 });

const principals = fc.record({ scopes: names, roles: names, kind: fc.constantFrom('human', 'workload') });
const rules = fc.record({
  scopes: names,
  roles: fc.array(some, { maxLength: 3 }),
  allowWorkload: fc.boolean(),
});
const policies = fc.record({
  allowList: fc.oneof(fc.constant('*' as const), fc.constantFrom(new Set(['tool']), new Set(['other']))),
  requireHuman: fc.boolean(),
});

function principal(facts: Partial<Principal>): Principal {
  return {
    issuer: 'https://issuer',
    subject: 'alice',
    kind: 'human',
    clientId: 'agent',
    tenant: null,
    scopes: [],
    roles: [],
    tokenId: null,
    expiresAt: 0,
    delegation: [],
    ...facts,
  };
}

function target(rule: Partial<ProtectedTarget['rule']>): ProtectedTarget {
  const whole = { scopes: [], roles: [], allowWorkload: false, source: 'Tools.tool', ...rule };
  return { kind: 'tool', name: 'tool', rule: whole };
}

const OPEN: PolicyRules = { allowList: '*', requireHuman: true };

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
] as const)('%s', (_name, who, rule, policy, expected) => {
  const decision = evaluate(principal(who), target(rule), policy);
  expect(decision.effect === 'allow' ? 'allow' : decision.reason).toBe(expected);
});

it('what has no rule does not exist', () => {
  const decision = evaluate(
    principal({ scopes: NAMES, roles: NAMES }),
    { kind: 'tool', name: 'toString' },
    OPEN,
  );
  expect(decision).toMatchObject({ effect: 'deny', reason: 'tool_unknown', rule: 'registry' });
});

it('a resource of the name of an allowed tool is not allowed with it', () => {
  const resource = { ...target({}), kind: 'resource' as const };
  expect(evaluate(principal({}), resource, { ...OPEN, allowList: new Set(['tool']) }).effect).toBe('deny');
  expect(evaluate(principal({}), resource, { ...OPEN, allowList: new Set(['resource:tool']) }).effect).toBe(
    'allow',
  );
});

it('allows exactly where list, kind, every scope and a role of each group agree', () => {
  fc.assert(
    fc.property(principals, rules, policies, (who, rule, policy) => {
      const expected =
        (policy.allowList === '*' || policy.allowList.has('tool')) &&
        (who.kind === 'human' || rule.allowWorkload || !policy.requireHuman) &&
        rule.scopes.every((scope) => who.scopes.includes(scope)) &&
        rule.roles.every((group) => group.some((role) => who.roles.includes(role)));
      const decision = evaluate(principal(who as Partial<Principal>), target(rule), policy);
      expect(decision.effect === 'allow').toBe(expected);
    }),
    { numRuns: 2000 },
  );
});

it('more scopes and roles never lose an allowed call, fewer demands neither', () => {
  fc.assert(
    fc.property(principals, rules, policies, names, names, (who, rule, policy, scopes, roles) => {
      const asked = target(rule);
      fc.pre(evaluate(principal(who as Partial<Principal>), asked, policy).effect === 'allow');
      const richer = { ...who, scopes: [...who.scopes, ...scopes], roles: [...who.roles, ...roles] };
      expect(evaluate(principal(richer as Partial<Principal>), asked, policy).effect).toBe('allow');
      const milder = target({ ...rule, scopes: rule.scopes.slice(1), roles: rule.roles.slice(1) });
      expect(evaluate(principal(who as Partial<Principal>), milder, policy).effect).toBe('allow');
    }),
  );
});

it('says of a missing scope no more than what would cure it', () => {
  fc.assert(
    fc.property(principals, rules, (who, rule) => {
      const decision = evaluate(principal(who as Partial<Principal>), target(rule), OPEN);
      fc.pre(decision.effect === 'deny' && decision.reason === 'scope_missing');
      const { missing } = decision as Deny;
      const cured = principal({ ...who, scopes: [...who.scopes, ...missing.scopes] } as Partial<Principal>);
      expect(evaluate(cured, target(rule), OPEN).effect).toBe('allow');
    }),
  );
});
