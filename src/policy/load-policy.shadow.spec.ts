/** Shadow mode: rules that are evaluated and recorded without effect. */
import type { Decision } from '../core/decision.js';
import type { Principal } from '../core/principal.js';
import type { ProtectedTarget } from './access-rule.js';
import { callerOf } from './evaluate.js';
import { listTargets } from './listing.js';
import {
  ALICE,
  type Asked,
  decide,
  disposePolicies,
  load,
  MONDAY,
  PAY,
  READ,
  short,
  TARGETS,
} from '../../test/support/policies.js';

afterEach(disposePolicies);

describe('loadPolicy with shadow rules', () => {
  const yaml = (text: string) => load({ 'policy.yaml': text });

  it.each<[string, string, ProtectedTarget, Asked, string]>([
    [
      'allows a call that only a shadow rule denies',
      'rules: [{match: pay, scopes: x, mode: shadow}]',
      PAY,
      {},
      'allow',
    ],
    [
      'allows a call that only a file in shadow mode denies',
      'mode: shadow\nallow_list: [read]\nrules: [{match: pay, scopes: x}]',
      PAY,
      {},
      'allow',
    ],
    [
      'denies a scope that only a file in shadow mode implies',
      'mode: shadow\nscope_implies: {super: [read]}',
      READ,
      { as: { scopes: ['super'] } },
      'scope_missing by Tools.read',
    ],
  ])('%s', (_name, text, asked, checkInput, expected) => {
    expect(short(decide(yaml(text), asked, checkInput))).toBe(expected);
  });

  it('records the denial of a shadow rule, and no agreement', () => {
    const policy = yaml(
      'rules: [{match: pay, scopes: x, mode: shadow}, {match: read, scopes: read, mode: shadow}]',
    );
    expect(decide(policy, PAY)).toMatchObject({
      effect: 'allow',
      shadow: { reason: 'scope_missing', rule: 'policy.yaml: rules[0]' },
    });
    expect(decide(policy, READ)).not.toHaveProperty('shadow');
  });

  it.each<[string, string, ProtectedTarget, Partial<Principal>, Decision['shadow']]>([
    [
      'a grant by scope_implies',
      'mode: shadow\nscope_implies: {super: [read]}',
      READ,
      { scopes: ['super'] },
      { reason: null, rule: 'policy.yaml: scope_implies' },
    ],
    [
      'a denial for another reason',
      'mode: shadow\nallow_list: [pay]',
      READ,
      { scopes: [] },
      { reason: 'tool_not_allowed', rule: 'policy.yaml: allow_list' },
    ],
    [
      'a grant that a role of the same file takes back',
      'mode: shadow\nscope_implies: {super: [read]}\nrules: [{match: read, roles: dpo}]',
      READ,
      { scopes: ['super'] },
      { reason: 'role_missing', rule: 'policy.yaml: rules[0]' },
    ],
    [
      'no denial with the same reason',
      'mode: shadow\nrules: [{match: read, scopes: more}]',
      READ,
      { scopes: [] },
      undefined,
    ],
  ])('records %s that a file in shadow mode would cause', (_name, text, asked, as, shadow) => {
    expect(decide(yaml(text), asked, { as }).shadow).toEqual(shadow);
  });

  it('separates enforced and shadow rates, with each class once for a target', () => {
    const rates = (text: string) =>
      [...yaml(text).policy.targets.values()].map(({ target: { name }, rates: own }) => [
        name,
        own.map((one) => `${one.isShadow ? 'shadow' : 'class'} ${one.name} by ${one.source}`),
      ]);
    const classes = 'rates: {a: {per_minute: 1}, b: {per_day: 2}}';
    const rules = 'rules: [{id: x, match: [pay, read], rate: a}, {id: y, match: [read, write], rate: [a, b]';
    expect(rates(`mode: shadow\n${classes}\n${rules}}]`)).toEqual([
      ['pay', ['shadow a by policy.yaml: x']],
      ['read', ['shadow a by policy.yaml: x', 'shadow b by policy.yaml: y']],
      ['write', ['shadow a by policy.yaml: y', 'shadow b by policy.yaml: y']],
      ['batch', []],
      ['greet', []],
    ]);
    expect(rates(`${classes}\n${rules}, mode: shadow}]`)).toEqual([
      ['pay', ['class a by policy.yaml: x', 'shadow a by policy.yaml: x']],
      ['read', ['class a by policy.yaml: x', 'shadow a by policy.yaml: x', 'shadow b by policy.yaml: y']],
      ['write', ['shadow a by policy.yaml: y', 'shadow b by policy.yaml: y']],
      ['batch', []],
      ['greet', []],
    ]);
  });

  it('counts the listed targets that shadow rules would hide', () => {
    const listing = (text: string, as: Partial<Principal>) =>
      listTargets(callerOf({ ...ALICE, ...as }, yaml(text).policy, { now: MONDAY, ip: '' }), TARGETS);
    const closed = 'list: callable\nrules: [{match: pay, scopes: x, mode: shadow}]';
    expect(listing(closed, {})).toMatchObject({ hidden: 0, shadowHiddenCount: 1 });
    // The list shows obtainable targets, so the rule would change the call only.
    expect(listing(closed.replace('callable', 'obtainable'), {})).toMatchObject({ shadowHiddenCount: 0 });
    const poor = { scopes: ['super'], roles: [] };
    expect(listing('mode: shadow\nlist: callable\nscope_implies: {super: [read]}', poor)).toMatchObject({
      shadowHiddenCount: 0,
    });
    const { shown } = listing('mode: shadow\nallow_list: [pay]', poor);
    expect(shown).toEqual(listing('author: Dora', poor).shown);
  });

  it('evaluates enforced conditions in UTC if the file with the time zone is in shadow mode', () => {
    const hours = '@id("hours") forbid(principal, action, resource) when { context.time.hour == 9 };';
    const policy = load({ 'a.cedar': hours, 'policy.yaml': 'mode: shadow\ntime_zone: Europe/Berlin' });
    expect(decide(policy, READ)).toMatchObject({
      effect: 'deny',
      rule: 'a.cedar: hours',
      shadow: { reason: null, rule: 'policy.yaml: time_zone' },
    });
    expect(policy.notices).toEqual(['shadow mode, recorded without effect: policy.yaml: time_zone']);
  });

  it('counts a target as hidden by shadow rules only if the list mode would hide it', () => {
    const shadowHiddenCount = (text: string) =>
      listTargets(
        callerOf({ ...ALICE, scopes: [], roles: [] }, yaml(text).policy, { now: MONDAY, ip: '' }),
        TARGETS,
      ).shadowHiddenCount;
    // With obtainable lists a shadow scope hides no target.
    expect(shadowHiddenCount('rules: [{match: pay, scopes: x, mode: shadow}]')).toBe(0);
    expect(shadowHiddenCount('list: callable\nrules: [{match: pay, scopes: x, mode: shadow}]')).toBe(1);
    // `read` lacks a scope and is listed; the shadow role would hide it.
    expect(shadowHiddenCount('rules: [{match: read, roles: x, mode: shadow}]')).toBe(1);
  });

  it.each([
    ['by annotation', { 'a.cedar': '@mode("shadow") @id("it") forbid(principal, action, resource);' }],
    [
      'as a file',
      { 'a.cedar': '@id("it") forbid(principal, action, resource);', 'policy.yaml': 'shadow: [a.cedar]' },
    ],
  ])('records the denial of a condition in shadow mode (%s) and allows the call', (_name, texts) => {
    expect(decide(load(texts as Record<string, string>), READ)).toMatchObject({
      effect: 'allow',
      shadow: { reason: 'condition_failed', rule: 'a.cedar: it' },
    });
  });
});
