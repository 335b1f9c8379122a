/** Conditions that the code or UPSTREAMS_FILE declares for a target, checked against its arguments. */
import type { JsonObject } from '../lib/json.js';
import type { ProtectedTarget } from './access-rule.js';
import { callerOf, evaluate } from './evaluate.js';
import { listTargets } from './listing.js';
import type { LoadedPolicy } from './load-policy.js';
import {
  ALICE,
  disposePolicies,
  load,
  MONDAY,
  object,
  target,
  TARGETS,
} from '../../test/support/policies.js';

afterEach(disposePolicies);

describe('loadPolicy with conditions that a target declares', () => {
  const LOOK = target('look', {
    inputSchema: object({ path: { anyOf: [{ type: 'string' }, { type: 'null' }] } }),
  });
  const FITTING = 'context.arguments has path && context.arguments.path like "/srv/*"';
  const withConditions = (...conditions: string[]) => [
    ...TARGETS,
    { ...LOOK, name: 'fits', conditions: [FITTING] },
    { ...LOOK, conditions },
  ];
  const decisionOf = (
    one: LoadedPolicy,
    targets: readonly ProtectedTarget[],
    name: string,
    args?: JsonObject,
  ) => {
    const environment = { now: MONDAY, ip: '', ...(args && { arguments: args }) };
    const own = targets.find((target) => target.name === name) as ProtectedTarget;
    const decision = evaluate(callerOf(ALICE, one.policy, environment), own);
    return decision.effect === 'allow' ? 'allow' : decision.reason;
  };

  it.each<[string, string, string]>([
    ['names an unknown argument', 'context.arguments.nothing == "x"', 'nothing'],
    [
      'reads an optional argument without a presence check',
      'context.arguments.path == "x"',
      'optional attribute',
    ],
    ['compares a text with a number', 'context.arguments has path && context.arguments.path == 1', 'type'],
    ['is not an expression', 'context.arguments has', 'unexpected token'],
    [
      'holds several rules',
      'context.arguments has path }; forbid(principal, action, resource) when { principal.sub == "x"',
      'not a single Cedar expression',
    ],
    ['has an unclosed quote', 'context.arguments has path && "', ''],
    ['ends in a comment', 'true // context.arguments has path', ''],
    ['nests too deeply', `${'!('.repeat(80)}true${')'.repeat(80)}`, 'nests'],
    ['crashes the engine', `${'if principal.sub == "x" then true else '.repeat(500)}false`, 'nests'],
  ])('withholds only that target where its condition %s', (_what, condition, why) => {
    const targets = withConditions(FITTING, condition);
    const one = load(
      { 'a.cedar': '@id("it") forbid(principal, action == Action::"read", resource);' },
      targets,
    );
    expect([...one.unfit.keys()]).toEqual(['look']);
    expect(one.unfit.get('look')).toMatch(
      /^look is withheld: condition 2 of Tools\.look does not fit .*path\?: String$/s,
    );
    expect(one.unfit.get('look')).toContain(why);
    expect(one.notices).toEqual([one.unfit.get('look')]);
    expect(decisionOf(one, targets, 'look')).toBe('tool_not_allowed');
    expect(decisionOf(one, targets, 'look', { path: '/srv/x' })).toBe('tool_not_allowed');
    expect(decisionOf(one, targets, 'fits', { path: '/srv/x' })).toBe('allow');
    expect(decisionOf(one, targets, 'fits', { path: '/etc' })).toBe('condition_failed');
    expect(decisionOf(one, targets, 'fits', { path: null })).toBe('condition_failed');
    expect(decisionOf(one, targets, 'pay', { amount: 1 })).toBe('allow');
    expect(decisionOf(one, targets, 'read')).toBe('condition_failed');
    const { shown } = listTargets(callerOf(ALICE, one.policy, { now: MONDAY, ip: '' }), targets);
    expect(shown.map(({ name }) => name)).not.toContain('look');
  });

  it("reports a fault of the operator's rules although a declared condition is faulty", () => {
    const targets = withConditions('context.arguments.nothing == "x"');
    const wrong =
      '@id("it") forbid(principal, action == Action::"pay", resource) when { context.arguments.other == 1 };';
    expect(() => load({ 'a.cedar': wrong }, targets)).toThrow(/a\.cedar:1: .*other/);
  });
});
