/** Conditions of .cedar files: what they can read, and how they decide calls and lists. */
import type { ProtectedTarget } from './access-rule.js';
import { CedarConditions } from './cedar/cedar-conditions.js';
import { callerOf } from './evaluate.js';
import { listTargets } from './listing.js';
import { startCedar } from './cedar/load-cedar.js';
import {
  ALICE,
  type Asked,
  BATCH,
  decide,
  disposePolicies,
  FORBIDS,
  GREET,
  load,
  MONDAY,
  PAY,
  READ,
  ROBOT,
  rule,
  short,
  TARGETS,
  WRITE,
} from '../../test/support/policies.js';

afterEach(disposePolicies);

describe('loadPolicy with conditions in Cedar', () => {
  it.each<[string, string, ProtectedTarget, Asked, string]>([
    [
      'a number above the limit',
      rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: { amount: 101 } },
      FORBIDS,
    ],
    [
      'a number at the limit',
      rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: { amount: 100 } },
      'allow',
    ],
    [
      'a decimal number',
      rule(
        'context.arguments has price && context.arguments.price.greaterThan(decimal("9.99"))',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, price: 10.5 } },
      FORBIDS,
    ],
    [
      'a text',
      rule(
        'context.arguments has note && context.arguments.note like "*secret*"',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, note: 'a secret' } },
      FORBIDS,
    ],
    [
      'a member of an object argument',
      rule(
        'context.arguments has account && context.arguments.account.owner != principal.sub',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, account: { owner: 'bob' } } },
      FORBIDS,
    ],
    [
      'a member of a list',
      rule(
        'context.arguments has tags && context.arguments.tags.contains("x")',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, tags: ['y', 'x'] } },
      FORBIDS,
    ],
    [
      'a null argument, which counts as absent',
      rule('context.arguments has note', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: { amount: 1, note: null } },
      'allow',
    ],
    ['the set of roles', rule('!principal.roles.contains("cfo")'), PAY, { args: { amount: 1 } }, FORBIDS],
    [
      'membership in a role of the caller',
      rule('true', 'principal in Role::"admin", action, resource'),
      PAY,
      { args: { amount: 1 } },
      FORBIDS,
    ],
    [
      'membership in another role',
      rule('true', 'principal in Role::"other", action, resource'),
      PAY,
      { args: { amount: 1 } },
      'allow',
    ],
    [
      'the kind of a user',
      rule('true', 'principal is Person, action, resource'),
      READ,
      { args: {} },
      FORBIDS,
    ],
    [
      'a user by issuer and subject',
      rule('true', 'principal == Person::"https://issuer alice", action, resource'),
      READ,
      { args: {} },
      FORBIDS,
    ],
    [
      'a user with the same subject at another issuer',
      rule('true', 'principal == Person::"https://issuer alice", action, resource'),
      READ,
      { args: {}, as: { issuer: 'https://other' } },
      'allow',
    ],
    [
      'the kind of a workload',
      rule('true', 'principal is Workload, action, resource'),
      BATCH,
      { args: {}, as: ROBOT },
      FORBIDS,
    ],
    [
      'the actor',
      rule('principal has actor && principal.actor.sub == "bot"'),
      READ,
      {
        args: {},
        as: { delegation: [...ALICE.delegation, { sub: 'bot', iss: 'https://issuer', type: 'agent' }] },
      },
      FORBIDS,
    ],
    [
      'an actor that is not the outermost one',
      rule('principal has actor && principal.actor.sub == "bot"'),
      READ,
      {
        args: {},
        as: {
          delegation: [
            ...ALICE.delegation,
            { sub: 'bot', iss: 'https://issuer', type: 'agent' },
            { sub: 'outer', iss: 'https://issuer', type: 'agent' },
          ],
        },
      },
      'allow',
    ],
    [
      'a group of actions',
      rule('true', 'principal, action in Action::"prompts:*", resource'),
      GREET,
      { args: { name: 'x' } },
      FORBIDS,
    ],
    [
      'a target outside of the group of actions',
      rule('true', 'principal, action in Action::"prompts:*", resource'),
      READ,
      { args: {} },
      'allow',
    ],
    [
      'several actions',
      rule('true', 'principal, action in [Action::"read", Action::"pay"], resource'),
      READ,
      { args: {} },
      FORBIDS,
    ],
    [
      'an address inside of a range',
      rule('context has ip && context.ip.isInRange(ip("10.0.0.0/8"))'),
      READ,
      { args: {} },
      FORBIDS,
    ],
    [
      'an IPv4 address mapped to IPv6',
      rule('context has ip && context.ip.isInRange(ip("10.0.0.0/8"))'),
      READ,
      { args: {}, ip: '::ffff:10.9.9.9' },
      FORBIDS,
    ],
    ...['::ffff:a09:909', '::FFFF:0a09:0909', '0:0:0:0:0:ffff:10.9.9.9', '::ffff:10.9.9.9%eth0'].map(
      (ip): [string, string, ProtectedTarget, Asked, string] => [
        `the IPv4 address in ${ip}`,
        rule('context has ip && context.ip.isIpv4() && context.ip.isInRange(ip("10.0.0.0/8"))'),
        READ,
        { args: {}, ip },
        FORBIDS,
      ],
    ),
    [
      'an IPv6 address with an IPv4 suffix',
      rule('context has ip && context.ip.isInRange(ip("2001:db8::/32"))'),
      READ,
      { args: {}, ip: '2001:DB8::10.9.9.9' },
      FORBIDS,
    ],
    [
      'an address outside of the range',
      rule('context has ip && context.ip.isInRange(ip("10.0.0.0/8"))'),
      READ,
      { args: {}, ip: '192.0.2.1' },
      'allow',
    ],
    ['an absent address', rule('!(context has ip)'), READ, { args: {}, ip: 'unknown' }, FORBIDS],
    ['the hour', rule('context.time.hour < 10'), READ, { args: {} }, FORBIDS],
    ['the weekday', rule('context.time.weekday == "monday"'), READ, { args: {} }, FORBIDS],
    ['the date', rule('context.time.date == "2026-11-23"'), READ, { args: {} }, FORBIDS],
    ['the time', rule('context.time.now > datetime("2026-11-23T09:29:59Z")'), READ, { args: {} }, FORBIDS],
    ['an implied scope', rule('!principal.scopes.contains("implied")'), READ, { args: {} }, 'allow'],
    // In Cedar a failing rule does not forbid.
    [
      'an argument of another type',
      rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: { amount: '1' } },
      FORBIDS,
    ],
    [
      'a missing argument',
      rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: {} },
      FORBIDS,
    ],
    [
      'an integer beyond the exact range',
      rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: { amount: 2 ** 53 } },
      FORBIDS,
    ],
    [
      'a decimal number with too many places',
      rule(
        'context.arguments has price && context.arguments.price.greaterThan(decimal("9.99"))',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, price: 0.00001 } },
      FORBIDS,
    ],
    [
      'a text that is not well-formed Unicode',
      rule(
        'context.arguments has note && context.arguments.note == "x"',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, note: '\ud800' } },
      FORBIDS,
    ],
    [
      'a list above the size limit',
      rule(
        'context.arguments has tags && context.arguments.tags.contains("x")',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, tags: Array<string>(10_001).fill('') } },
      FORBIDS,
    ],
    [
      'a long list below the size limit',
      rule(
        'context.arguments has tags && context.arguments.tags.contains("x")',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, tags: Array<string>(9_000).fill('') } },
      'allow',
    ],
    [
      'an arithmetic overflow',
      rule(
        'context.arguments.amount * 9223372036854775807 > 1',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 3 } },
      FORBIDS,
    ],
    [
      'the amount beside arguments that no rule reads',
      rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: { amount: 1, note: 7, anything: {} } },
      'allow',
    ],
    ['the hour of an invalid time', rule('context.time.hour < 10'), READ, { args: {}, now: 1e300 }, FORBIDS],
  ])('decides by a condition on %s', (_name, text, asked, checkInput, expected) => {
    const policy = load({ 'a.cedar': text, 'policy.yaml': 'scope_implies: {read: implied}' });
    expect(short(decide(policy, asked, checkInput))).toBe(expected);
  });

  it('evaluates the hour in the time zone of the policy', () => {
    const policy = load({
      'a.cedar': rule('context.time.hour != 10'),
      'policy.yaml': 'time_zone: Europe/Berlin',
    });
    expect(short(decide(policy, READ, { args: {} }))).toBe('allow');
  });

  it('reports the message and the line of the first rule that forbids', () => {
    const policy = load({
      'b.cedar': '@message("late") forbid(principal, action, resource);',
      'a.cedar':
        '// a comment\n\n@message("Not on a Monday") forbid(principal, action, resource);\n@id("z") forbid(principal, action, resource);',
    });
    expect(decide(policy, READ)).toMatchObject({ rule: 'a.cedar: line 3', message: 'Not on a Monday' });
  });

  it('checks conditions after roles and before scopes', () => {
    const policy = load({ 'a.cedar': rule('true') });
    expect(short(decide(policy, WRITE, { as: { roles: [] } }))).toBe('role_missing by Tools.write');
    expect(short(decide(policy, READ, { as: { scopes: [] } }))).toBe(FORBIDS);
  });

  it('applies a condition on arguments to calls and not to lists', () => {
    const policy = load({
      'a.cedar': rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
    });
    expect(short(decide(policy, PAY))).toBe('allow');
    expect(short(decide(policy, PAY, { args: { amount: 1000 } }))).toBe(FORBIDS);
  });

  it('applies a condition on the action to that target alone', () => {
    const policy = load({
      'a.cedar': `${rule('action == Action::"read"')}\n@id("hour") forbid(principal, action, resource) when { context.time.hour == 9 && principal.sub == "x" };`,
    });
    const caller = callerOf(ALICE, policy.policy, { now: MONDAY, ip: '' });
    expect(listTargets(caller, TARGETS).shown.map(({ name }) => name)).toEqual([
      'pay',
      'write',
      'batch',
      'greet',
    ]);
  });

  it('denies every call after the policy was disposed', () => {
    const policy = load({ 'a.cedar': rule('principal.sub == "nobody"') });
    expect(short(decide(policy, READ))).toBe('allow');
    policy.dispose();
    expect(short(decide(policy, READ))).toBe(FORBIDS);
  });

  it('finds the reads of arguments and of the action inside of record literals', () => {
    const asked = rule(
      '{Value: context.arguments has note && context.arguments.note == "x"}.Value',
      'principal, action == Action::"pay", resource',
    );
    const policy = load({
      'a.cedar': asked,
      'b.cedar': 'forbid(principal, action, resource) when { {Value: action == Action::"write"}.Value };',
    });
    expect(short(decide(policy, PAY))).toBe('allow');
    expect(short(decide(policy, PAY, { args: { amount: 1, note: 'x' } }))).toBe(FORBIDS);
    const caller = callerOf(ALICE, policy.policy, { now: MONDAY, ip: '' });
    expect(listTargets(caller, TARGETS).shown.map(({ name }) => name)).toEqual([
      'pay',
      'read',
      'batch',
      'greet',
    ]);
  });

  it('denies a call whose condition crashes the engine, and evaluates the others', () => {
    const made = (source: string, label: string, when: string) => ({
      source,
      text: `forbid(principal, action, resource) when { ${when} };`,
      message: undefined,
      isShadow: false,
      labels: new Set([label]),
      needsArguments: false,
      reads: new Set<string>(),
      paths: [],
      looksAtAction: false,
      roles: new Set<string>(),
    });
    const deep = made('deep', 'pay', `${'principal.sub == "x" || '.repeat(500)}false`);
    const plain = made('plain', 'read', 'principal.sub == "bob"');
    const conditions = new CedarConditions(startCedar(), startCedar, [deep, plain], TARGETS, {
      enforced: 'UTC',
      shadow: 'UTC',
    });
    const failing = (subject: string, one: ProtectedTarget) =>
      conditions.forCaller({ ...ALICE, subject }, [], { now: MONDAY, ip: '' }, false).failing(one)?.rule;
    for (let time = 0; time < 2; time++) {
      expect(['alice', 'bob'].map((sub) => [failing(sub, PAY), failing(sub, READ)])).toEqual([
        ['deep', undefined],
        ['deep', 'plain'],
      ]);
    }
    conditions.dispose();
    expect(failing('alice', READ)).toBe('plain');
  });

  it('keeps 30 rules in the order of their lines', () => {
    const text = Array.from(
      { length: 30 },
      () => 'forbid(principal, action, resource) when { principal.sub == "x" };',
    ).join('\n');
    const { cedarRules } = load({ 'a.cedar': text });
    expect(cedarRules.map(({ source }) => source)).toEqual(
      Array.from({ length: 30 }, (_, at) => `a.cedar: line ${at + 1}`),
    );
  });
});
