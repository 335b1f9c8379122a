/** The operator's files: what they ask for is asked for, what is wrong in them is named by file and line, and code's floor holds. */
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import type { Decision } from '../core/decision.js';
import type { Principal } from '../core/principal.js';
import type { JsonObject } from '../lib/json.js';
import type { ProtectedTarget } from './access-rule.js';
import { CedarConditions } from './cedar/cedar-conditions.js';
import { callerOf, evaluate } from './evaluate.js';
import { listTargets } from './listing.js';
import { startCedar } from './cedar/load-cedar.js';
import { loadPolicy, type LoadedPolicy } from './load-policy.js';
import { PolicyError, type OperatorFile } from './operator-files.js';

/** A Monday, 09:30 in UTC and 10:30 in Berlin. */
const MONDAY = Date.UTC(2026, 10, 23, 9, 30);
const OPEN = { allowList: '*', requireHuman: true } as const;

function target(
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

const object = (properties: JsonObject, required: string[] = []): JsonObject => ({
  type: 'object',
  properties,
  required,
});
const PAY = target('pay', {
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
const READ = target('read', { rule: { scopes: ['read'] }, readOnly: true });
const WRITE = target('write', { rule: { scopes: ['write'], roles: [['admin']] } });
const BATCH = target('batch', { rule: { allowWorkload: true } });
const GREET = target('greet', {
  kind: 'prompt',
  inputSchema: object({ name: { type: 'string' } }, ['name']),
});
const TARGETS = [PAY, READ, WRITE, BATCH, GREET];

const ALICE: Principal = {
  issuer: 'https://issuer',
  subject: 'alice',
  kind: 'human',
  clientId: 'agent',
  tenant: 'acme',
  scopes: ['read', 'write'],
  roles: ['admin'],
  acr: [],
  authenticatedAt: MONDAY / 1000 - 60,
  tokenId: null,
  expiresAt: 0,
  delegation: [{ sub: 'alice', iss: 'https://issuer', type: 'human' }],
  delegationOmitted: 0,
};
const ROBOT: Principal = { ...ALICE, kind: 'workload', subject: 'robot', clientId: 'robot' };

const loaded: LoadedPolicy[] = [];
afterEach(() => loaded.splice(0).forEach((one) => one.dispose()));

function load(texts: Record<string, string>, targets: readonly ProtectedTarget[] = TARGETS): LoadedPolicy {
  const files: OperatorFile[] = Object.entries(texts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => ({ name, text, sha256: createHash('sha256').update(text).digest('hex') }));
  const one = loadPolicy(OPEN, targets, files);
  loaded.push(one);
  return one;
}

function faultsOf(texts: Record<string, string>): readonly string[] {
  try {
    load(texts);
    return [];
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return error.faults;
  }
}

interface Asked {
  readonly as?: Partial<Principal>;
  readonly args?: JsonObject;
  readonly now?: number;
  readonly ip?: string;
}

function decide(
  { policy }: LoadedPolicy,
  asked: ProtectedTarget,
  { as, args, now, ip }: Asked = {},
): Decision {
  const environment = { now: now ?? MONDAY, ip: ip ?? '10.1.2.3', arguments: args };
  return evaluate(callerOf({ ...ALICE, ...as }, policy, environment), asked);
}

const short = (decision: Decision) =>
  decision.effect === 'allow' ? 'allow' : `${decision.reason} by ${decision.rule}`;

describe('policy.yaml', () => {
  const yaml = (text: string) => load({ 'policy.yaml': text });

  it.each<[string, string, ProtectedTarget, Asked, string]>([
    [
      'adds a scope',
      'rules: [{match: pay, scopes: pay.now}]',
      PAY,
      {},
      'scope_missing by policy.yaml: rules[0]',
    ],
    [
      'adds a scope by pattern',
      'rules: [{id: x, match: "p*", scopes: [pay.now]}]',
      PAY,
      {},
      'scope_missing by policy.yaml: x',
    ],
    ['leaves others alone', 'rules: [{match: pay, scopes: pay.now}]', READ, {}, 'allow'],
    ['leaves a prompt of the pattern alone', 'rules: [{match: ["*"], scopes: x}]', GREET, {}, 'allow'],
    [
      'reaches a prompt by its kind',
      'rules: [{match: "prompt:*", scopes: x}]',
      GREET,
      {},
      'scope_missing by policy.yaml: rules[0]',
    ],
    ['asks for any of the roles', 'rules: [{match: pay, roles: [payer, admin]}]', PAY, {}, 'allow'],
    [
      'refuses without one',
      'rules: [{match: pay, roles: [payer]}]',
      PAY,
      {},
      'role_missing by policy.yaml: rules[0]',
    ],
    [
      'says code first where both refuse',
      'rules: [{match: write, roles: [payer]}]',
      WRITE,
      { as: { roles: [] } },
      'role_missing by Tools.write',
    ],
    [
      'asks for a fresh login',
      'rules: [{match: pay, assurance: {max_age: 30}}]',
      PAY,
      {},
      'assurance_insufficient by policy.yaml: rules[0]',
    ],
    ['is content with one', 'rules: [{match: pay, assurance: {max_age: 90}}]', PAY, {}, 'allow'],
    [
      'names the workloads that may',
      'rules: [{match: batch, workloads: [robot]}]',
      BATCH,
      { as: ROBOT },
      'allow',
    ],
    [
      'and no others',
      'rules: [{match: batch, workloads: [other]}]',
      BATCH,
      { as: ROBOT },
      'human_required by policy.yaml: rules[0]',
    ],
    [
      'and never what code refuses them',
      'rules: [{match: pay, workloads: [robot]}]',
      PAY,
      { as: ROBOT },
      'human_required by AUTH_REQUIRE_HUMAN',
    ],
    ['shuts workloads out, and no person', 'rules: [{match: "*", workloads: none}]', BATCH, {}, 'allow'],
    ['narrows the list', 'allow_list: [pay]', READ, {}, 'tool_not_allowed by policy.yaml: allow_list'],
    ['keeps what it lists', 'allow_list: ["re*"]', READ, {}, 'allow'],
    [
      'lets one scope stand for others',
      'scope_implies: {all: [read], super: [all]}',
      READ,
      { as: { scopes: ['super'] } },
      'allow',
    ],
    [
      'and not the other way round',
      'scope_implies: {read: all}\nrules: [{match: read, scopes: all}]',
      READ,
      { as: { scopes: ['all'] } },
      'scope_missing by Tools.read',
    ],
    ['does nothing in shadow mode', 'rules: [{match: pay, scopes: x, mode: shadow}]', PAY, {}, 'allow'],
    [
      'does nothing in shadow mode as a whole',
      'mode: shadow\nallow_list: [read]\nrules: [{match: pay, scopes: x}]',
      PAY,
      {},
      'allow',
    ],
    [
      'implies no shadow scope',
      'mode: shadow\nscope_implies: {super: [read]}',
      READ,
      { as: { scopes: ['super'] } },
      'scope_missing by Tools.read',
    ],
  ])('%s', (_name, text, asked, checkInput, expected) => {
    expect(short(decide(yaml(text), asked, checkInput))).toBe(expected);
  });

  it('says what a shadow rule would have done, and nothing where it would have agreed', () => {
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
  ])('records %s that a shadow file would cause', (_name, text, asked, as, shadow) => {
    expect(decide(yaml(text), asked, { as }).shadow).toEqual(shadow);
  });

  it('counts enforced and shadow rates apart, each class once for a target', () => {
    const rates = (text: string) =>
      [...yaml(text).policy.targets.values()].map(({ target: { name }, rates: own }) => [
        name,
        own.map((one) => `${one.isShadow ? 'trial' : 'class'} ${one.name} by ${one.source}`),
      ]);
    const classes = 'rates: {a: {per_minute: 1}, b: {per_day: 2}}';
    const rules = 'rules: [{id: x, match: [pay, read], rate: a}, {id: y, match: [read, write], rate: [a, b]';
    expect(rates(`mode: shadow\n${classes}\n${rules}}]`)).toEqual([
      ['pay', ['trial a by policy.yaml: x']],
      ['read', ['trial a by policy.yaml: x', 'trial b by policy.yaml: y']],
      ['write', ['trial a by policy.yaml: y', 'trial b by policy.yaml: y']],
      ['batch', []],
      ['greet', []],
    ]);
    expect(rates(`${classes}\n${rules}, mode: shadow}]`)).toEqual([
      ['pay', ['class a by policy.yaml: x', 'trial a by policy.yaml: x']],
      ['read', ['class a by policy.yaml: x', 'trial a by policy.yaml: x', 'trial b by policy.yaml: y']],
      ['write', ['trial a by policy.yaml: y', 'trial b by policy.yaml: y']],
      ['batch', []],
      ['greet', []],
    ]);
  });

  it('counts in lists the targets that a shadow file would hide and show', () => {
    const listing = (text: string, as: Partial<Principal>) =>
      listTargets(callerOf({ ...ALICE, ...as }, yaml(text).policy, { now: MONDAY, ip: '' }), TARGETS);
    const closed = 'list: callable\nrules: [{match: pay, scopes: x, mode: shadow}]';
    expect(listing(closed, {})).toMatchObject({ hidden: 0, shadowHiddenCount: 1 });
    // The list shows the targets that another token opens: the rule would change the call alone.
    expect(listing(closed.replace('callable', 'obtainable'), {})).toMatchObject({ shadowHiddenCount: 0 });
    const poor = { scopes: ['super'], roles: [] };
    expect(listing('mode: shadow\nlist: callable\nscope_implies: {super: [read]}', poor)).toMatchObject({
      shadowHiddenCount: 0,
    });
    const { shown } = listing('mode: shadow\nallow_list: [pay]', poor);
    expect(shown).toEqual(listing('author: Dora', poor).shown);
  });

  it('evaluates enforced conditions in UTC in spite of the time zone of a shadow file', () => {
    const hours = '@id("hours") forbid(principal, action, resource) when { context.time.hour == 9 };';
    const policy = load({ 'a.cedar': hours, 'policy.yaml': 'mode: shadow\ntime_zone: Europe/Berlin' });
    expect(decide(policy, READ)).toMatchObject({
      effect: 'deny',
      rule: 'a.cedar: hours',
      shadow: { reason: null, rule: 'policy.yaml: time_zone' },
    });
    expect(policy.notices).toEqual(['shadow mode, recorded without effect: policy.yaml: time_zone']);
  });

  it('puts what all ask for into one challenge', () => {
    const policy = yaml('rules: [{match: read, scopes: [more, read], assurance: {acr: gold, max_age: 30}}]');
    expect(decide(policy, READ)).toMatchObject({
      reason: 'assurance_insufficient',
      required: { scopes: ['read', 'more'], assurance: { acr: ['gold'], maxAgeSeconds: 30 } },
      missing: { scopes: ['more'], assurance: { acr: ['gold'], maxAgeSeconds: 30 } },
    });
  });

  it('lists what a new token would open unless it says list: callable', () => {
    const shown = (text: string, as: Partial<Principal>) =>
      listTargets(
        callerOf({ ...ALICE, ...as }, yaml(text).policy, { now: MONDAY, ip: '' }),
        TARGETS,
      ).shown.map(({ name }) => name);
    const poor = { scopes: [], roles: [] };
    expect(shown('list: callable', poor)).toEqual(['pay', 'batch', 'greet']);
    expect(shown('list: obtainable', poor)).toEqual(['pay', 'read', 'batch', 'greet']);
    expect(shown('author: dora', poor)).toEqual(['pay', 'read', 'batch', 'greet']);
    const without = loadPolicy(OPEN, TARGETS, undefined).policy;
    expect(
      listTargets(callerOf({ ...ALICE, ...poor }, without, { now: MONDAY, ip: '' }), TARGETS).shown.map(
        ({ name }) => name,
      ),
    ).toEqual(['pay', 'read', 'batch', 'greet']);
  });

  it('counts in would_hide the listed targets that shadow rules would hide, obtainable or not', () => {
    const shadowHiddenCount = (text: string) =>
      listTargets(
        callerOf({ ...ALICE, scopes: [], roles: [] }, yaml(text).policy, { now: MONDAY, ip: '' }),
        TARGETS,
      ).shadowHiddenCount;
    // A shadow scope hides nothing while lists are obtainable.
    expect(shadowHiddenCount('rules: [{match: pay, scopes: x, mode: shadow}]')).toBe(0);
    expect(shadowHiddenCount('list: callable\nrules: [{match: pay, scopes: x, mode: shadow}]')).toBe(1);
    // `read` is listed though it lacks a scope; the role in shadow mode would hide it.
    expect(shadowHiddenCount('rules: [{match: read, roles: x, mode: shadow}]')).toBe(1);
  });

  it.each<[string, string[]]>([
    [
      'rules:\n  - match: pax\n    scopes: x',
      ['policy.yaml:2: pax is the name of nothing that this server has'],
    ],
    ['allow_list: ["x*"]', ['policy.yaml: allow_list: x* is the name of nothing that this server has']],
    [
      'rules:\n  - match: pay\n',
      [
        'policy.yaml:2: rules[0]: asks for nothing: name at least one of scopes, roles, assurance, workloads, rate',
      ],
    ],
    [
      'author: a\nrules:\n  - match: pay\n    scopse: x',
      [
        'policy.yaml:4: rules[0].scopse: is not a setting of this server',
        'policy.yaml:3: rules[0]: asks for nothing: name at least one of scopes, roles, assurance, workloads, rate',
      ],
    ],
    [
      'scope_implies:\n  a: [b]\n  b: [c]\n  c: [a]',
      [
        'policy.yaml:2: scope_implies.a: implies itself: a → b → c → a',
        'policy.yaml:3: scope_implies.b: implies itself: b → c → a → b',
        'policy.yaml:4: scope_implies.c: implies itself: c → a → b → c',
      ],
    ],
    ['scope_implies:\n  a: a', ['policy.yaml:2: scope_implies.a: implies itself: a → a']],
    [
      'rates:\n  slow: {per_minute: 0}',
      ['policy.yaml:2: rates.slow.per_minute: must be a whole number from 1 to 1000000'],
    ],
    [
      'rules: [{match: pay, rate: slow}]',
      ['policy.yaml:1: rules[0].rate: there is no class "slow" under rates'],
    ],
    ['rates: {a: {}}', ['policy.yaml:1: rates.a: must have one of per_minute, per_hour, per_day']],
    [
      'rates: {a: {per_minute: 1, per_day: 5}}',
      ['policy.yaml:1: rates.a: must have one of per_minute, per_hour, per_day'],
    ],
    [
      'rates:\n  a:\n    per_hour: 1\n    by: tool\n    each_tool: yes please\nrules: [{match: pay, rate: [a, b]}]',
      [
        'policy.yaml:4: rates.a.by: must be one of caller, person, client, everyone',
        'policy.yaml:5: rates.a.each_tool: must be true or false',
        'policy.yaml:6: rules[0].rate: there is no class "b" under rates',
      ],
    ],
    [
      'rules:\n  - {id: a, match: pay, scopes: x}\n  - {id: a, match: read, scopes: x}',
      ['policy.yaml:3: rules[1].id: is the same as that of rules[0]'],
    ],
    ['time_zone: Mars/Olympus', ['policy.yaml:1: time_zone: is not a time zone that this system knows']],
    ['mode: off', ['policy.yaml:1: mode: must be enforce or shadow']],
    [
      'mode: shadow\nrules:\n  - {match: pay, scopes: x}\n  - {match: pay, scopes: x, mode: enforce}',
      [
        'policy.yaml:4: rules[1].mode: contradicts mode: shadow of the file: remove that line, and set mode: shadow on each rule to try',
      ],
    ],
    [
      'mode: shadow\nshadow: [a.cedar]',
      [
        'policy.yaml:2: shadow: contradicts mode: shadow of the file, which has no effect on .cedar files: annotate their rules with @mode("shadow")',
      ],
    ],
    [
      'rules: [{match: pay, assurance: {acr: [a]}}, {match: pay, assurance: {acr: [b]}}]',
      ['policy.yaml: no authentication would meet all that is asked for pay: see acr'],
    ],
    [
      'allow_list: [pay]\nallow_list: [read]',
      ['policy.yaml: line 2 is not YAML that can be read (DUPLICATE_KEY)'],
    ],
    ['- a', ['policy.yaml: must be a mapping with the list "rules"']],
    ['shadow: [none.cedar]', ['policy.yaml: shadow: there is no none.cedar']],
    ['tools: []', ['policy.yaml:1: tools: is not a setting of this server']],
  ])('%j is refused, with its line', (text, expected) => {
    expect(faultsOf({ 'policy.yaml': text })).toEqual(expected);
  });

  it.each<[string, string, string]>([
    [
      'lists in lists',
      `author: a\nrules: ${'['.repeat(100_000)}${']'.repeat(100_000)}`,
      'line 2 is nested more',
    ],
    ['mappings in mappings', `author: a\nrates: ${'{a: '.repeat(50_000)}`, 'line 2 is nested more'],
    ['blocks in blocks', `rules:\n${'- '.repeat(100_000)}x`, 'line 2 is nested more'],
    [
      'a mapping without end',
      `rates:\n${Array.from({ length: 40_000 }, (_, at) => `  r${at}: {per_day: 1}`).join('\n')}`,
      'line 2 begins a mapping of more than 1000 members',
    ],
  ])('%s are refused before they cost anything', (_name, text, expected) => {
    const started = performance.now();
    expect(faultsOf({ 'policy.yaml': text })).toEqual([expect.stringContaining(expected)]);
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  it('a long way from scope to scope is followed at once', () => {
    const text = `scope_implies:\n${Array.from({ length: 990 }, (_, at) => `  s${at}: [s${at + 1}]`).join('\n')}`;
    const { policy } = load({ 'policy.yaml': text });
    expect(policy.impliedScopes.get('s0')).toHaveLength(990);
    expect(faultsOf({ 'policy.yaml': `${text}\n  s990: [s0]` })).toHaveLength(991);
  });
});

describe('a condition of a declaration that does not fit the arguments', () => {
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
    ['names no argument', 'context.arguments.nothing == "x"', 'nothing'],
    ['reads an optional argument unasked', 'context.arguments.path == "x"', 'optional attribute'],
    ['compares a text with a number', 'context.arguments has path && context.arguments.path == 1', 'type'],
    ['is no expression', 'context.arguments has', 'unexpected token'],
    [
      'is several rules',
      'context.arguments has path }; forbid(principal, action, resource) when { principal.sub == "x"',
      'not one Cedar expression',
    ],
    ['has a quote that another could close', 'context.arguments has path && "', ''],
    ['is commented out', 'true // context.arguments has path', ''],
    ['nests too deep', `${'!('.repeat(80)}true${')'.repeat(80)}`, 'nests'],
    ['brings the engine down', `${'if principal.sub == "x" then true else '.repeat(500)}false`, 'nests'],
  ])('withholds that target alone where it %s', (_what, condition, why) => {
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

  it("hides no fault of the operator's own rules", () => {
    const targets = withConditions('context.arguments.nothing == "x"');
    const wrong =
      '@id("it") forbid(principal, action == Action::"pay", resource) when { context.arguments.other == 1 };';
    expect(() => load({ 'a.cedar': wrong }, targets)).toThrow(/a\.cedar:1: .*other/);
  });
});

describe('conditions', () => {
  const rule = (when: string, scope = 'principal, action, resource') =>
    `@id("it") forbid(${scope}) when { ${when} };`;
  const FORBIDS = 'condition_failed by a.cedar: it';

  it.each<[string, string, ProtectedTarget, Asked, string]>([
    [
      'an amount above',
      rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: { amount: 101 } },
      FORBIDS,
    ],
    [
      'an amount below',
      rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: { amount: 100 } },
      'allow',
    ],
    [
      'a fraction',
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
      'an owner',
      rule(
        'context.arguments has account && context.arguments.account.owner != principal.sub',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, account: { owner: 'bob' } } },
      FORBIDS,
    ],
    [
      'a list',
      rule(
        'context.arguments has tags && context.arguments.tags.contains("x")',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, tags: ['y', 'x'] } },
      FORBIDS,
    ],
    [
      'null counts as not sent',
      rule('context.arguments has note', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: { amount: 1, note: null } },
      'allow',
    ],
    ['a role, by the set', rule('!principal.roles.contains("cfo")'), PAY, { args: { amount: 1 } }, FORBIDS],
    [
      'a role, by membership',
      rule('true', 'principal in Role::"admin", action, resource'),
      PAY,
      { args: { amount: 1 } },
      FORBIDS,
    ],
    [
      'another role, by membership',
      rule('true', 'principal in Role::"other", action, resource'),
      PAY,
      { args: { amount: 1 } },
      'allow',
    ],
    ['a person', rule('true', 'principal is Person, action, resource'), READ, { args: {} }, FORBIDS],
    [
      'a person by name',
      rule('true', 'principal == Person::"https://issuer alice", action, resource'),
      READ,
      { args: {} },
      FORBIDS,
    ],
    [
      'that person of another issuer',
      rule('true', 'principal == Person::"https://issuer alice", action, resource'),
      READ,
      { args: {}, as: { issuer: 'https://other' } },
      'allow',
    ],
    [
      'a workload',
      rule('true', 'principal is Workload, action, resource'),
      BATCH,
      { args: {}, as: ROBOT },
      FORBIDS,
    ],
    [
      'an actor',
      rule('principal has actor && principal.actor.sub == "bot"'),
      READ,
      {
        args: {},
        as: { delegation: [...ALICE.delegation, { sub: 'bot', iss: 'https://issuer', type: 'agent' }] },
      },
      FORBIDS,
    ],
    [
      'only the outermost actor',
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
      'and no other',
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
      'an address inside',
      rule('context has ip && context.ip.isInRange(ip("10.0.0.0/8"))'),
      READ,
      { args: {} },
      FORBIDS,
    ],
    [
      'an address in clothes of IPv6',
      rule('context has ip && context.ip.isInRange(ip("10.0.0.0/8"))'),
      READ,
      { args: {}, ip: '::ffff:10.9.9.9' },
      FORBIDS,
    ],
    ...['::ffff:a09:909', '::FFFF:0a09:0909', '0:0:0:0:0:ffff:10.9.9.9', '::ffff:10.9.9.9%eth0'].map(
      (ip): [string, string, ProtectedTarget, Asked, string] => [
        `the same one as ${ip}`,
        rule('context has ip && context.ip.isIpv4() && context.ip.isInRange(ip("10.0.0.0/8"))'),
        READ,
        { args: {}, ip },
        FORBIDS,
      ],
    ),
    [
      'an address of IPv6 that ends like one of IPv4',
      rule('context has ip && context.ip.isInRange(ip("2001:db8::/32"))'),
      READ,
      { args: {}, ip: '2001:DB8::10.9.9.9' },
      FORBIDS,
    ],
    [
      'an address outside',
      rule('context has ip && context.ip.isInRange(ip("10.0.0.0/8"))'),
      READ,
      { args: {}, ip: '192.0.2.1' },
      'allow',
    ],
    ['no address', rule('!(context has ip)'), READ, { args: {}, ip: 'unknown' }, FORBIDS],
    ['an hour', rule('context.time.hour < 10'), READ, { args: {} }, FORBIDS],
    ['a weekday', rule('context.time.weekday == "monday"'), READ, { args: {} }, FORBIDS],
    ['a date', rule('context.time.date == "2026-11-23"'), READ, { args: {} }, FORBIDS],
    ['a moment', rule('context.time.now > datetime("2026-11-23T09:29:59Z")'), READ, { args: {} }, FORBIDS],
    ['a scope that is implied', rule('!principal.scopes.contains("implied")'), READ, { args: {} }, 'allow'],
    // To Cedar a rule that fails does not forbid.
    [
      'an argument of another type',
      rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: { amount: '1' } },
      FORBIDS,
    ],
    [
      'an argument that is missing',
      rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: {} },
      FORBIDS,
    ],
    [
      'an argument beyond what is exact',
      rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: { amount: 2 ** 53 } },
      FORBIDS,
    ],
    [
      'a fraction beyond what is exact',
      rule(
        'context.arguments has price && context.arguments.price.greaterThan(decimal("9.99"))',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, price: 0.00001 } },
      FORBIDS,
    ],
    [
      'a text that is none',
      rule(
        'context.arguments has note && context.arguments.note == "x"',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, note: '\ud800' } },
      FORBIDS,
    ],
    [
      'more than anybody sends',
      rule(
        'context.arguments has tags && context.arguments.tags.contains("x")',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, tags: Array<string>(10_001).fill('') } },
      FORBIDS,
    ],
    [
      'a long list',
      rule(
        'context.arguments has tags && context.arguments.tags.contains("x")',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 1, tags: Array<string>(9_000).fill('') } },
      'allow',
    ],
    [
      'an overflow',
      rule(
        'context.arguments.amount * 9223372036854775807 > 1',
        'principal, action == Action::"pay", resource',
      ),
      PAY,
      { args: { amount: 3 } },
      FORBIDS,
    ],
    [
      'an argument that no rule reads, whatever it is',
      rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
      PAY,
      { args: { amount: 1, note: 7, anything: {} } },
      'allow',
    ],
    ['a time that is none', rule('context.time.hour < 10'), READ, { args: {}, now: 1e300 }, FORBIDS],
  ])('%s', (_name, text, asked, checkInput, expected) => {
    const policy = load({ 'a.cedar': text, 'policy.yaml': 'scope_implies: {read: implied}' });
    expect(short(decide(policy, asked, checkInput))).toBe(expected);
  });

  it('an hour in the zone of the operator', () => {
    const policy = load({
      'a.cedar': rule('context.time.hour != 10'),
      'policy.yaml': 'time_zone: Europe/Berlin',
    });
    expect(short(decide(policy, READ, { args: {} }))).toBe('allow');
  });

  it('says what the rule says, and the first rule of several', () => {
    const policy = load({
      'b.cedar': '@message("late") forbid(principal, action, resource);',
      'a.cedar':
        '// a comment\n\n@message("Not on a Monday") forbid(principal, action, resource);\n@id("z") forbid(principal, action, resource);',
    });
    expect(decide(policy, READ)).toMatchObject({ rule: 'a.cedar: line 3', message: 'Not on a Monday' });
  });

  it('come behind roles and before scopes: no token cures them', () => {
    const policy = load({ 'a.cedar': rule('true') });
    expect(short(decide(policy, WRITE, { as: { roles: [] } }))).toBe('role_missing by Tools.write');
    expect(short(decide(policy, READ, { as: { scopes: [] } }))).toBe(FORBIDS);
  });

  it('on arguments decide calls and no lists', () => {
    const policy = load({
      'a.cedar': rule('context.arguments.amount > 100', 'principal, action == Action::"pay", resource'),
    });
    expect(short(decide(policy, PAY))).toBe('allow');
    expect(short(decide(policy, PAY, { args: { amount: 1000 } }))).toBe(FORBIDS);
  });

  it.each([
    ['by annotation', { 'a.cedar': '@mode("shadow") @id("it") forbid(principal, action, resource);' }],
    [
      'as a file',
      { 'a.cedar': '@id("it") forbid(principal, action, resource);', 'policy.yaml': 'shadow: [a.cedar]' },
    ],
  ])('in shadow mode have no effect, and say what they would have done: %s', (_name, texts) => {
    expect(decide(load(texts as Record<string, string>), READ)).toMatchObject({
      effect: 'allow',
      shadow: { reason: 'condition_failed', rule: 'a.cedar: it' },
    });
  });

  it('say the same of every target unless they look at the action', () => {
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

  it('are let go of with their policy: nothing is allowed by what is gone', () => {
    const policy = load({ 'a.cedar': rule('principal.sub == "nobody"') });
    expect(short(decide(policy, READ))).toBe('allow');
    policy.dispose();
    expect(short(decide(policy, READ))).toBe(FORBIDS);
  });

  it('are seen to read arguments, and to look at the action, whatever a record calls them', () => {
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

  it.each<[string, string]>([
    ['parentheses', `${'('.repeat(500)}true${')'.repeat(500)}`],
    ['negations', `${'!('.repeat(200)}true${')'.repeat(200)}`],
    ['lists', `${'['.repeat(200)}1${']'.repeat(200)} == [1]`],
    ['alternatives', `${'principal.sub == "x" || '.repeat(500)}false`],
    ['many alternatives', `${'principal.sub == "x" || '.repeat(5000)}false`],
    ['sums', `context.time.hour ${'+ 1 '.repeat(500)} > 5`],
    ['conditions', `${'if principal.sub == "x" then true else '.repeat(500)}false`],
  ])('%s nested too deeply are refused, and what is in force decides on', (_name, when) => {
    const inForce = load({ 'a.cedar': rule('principal.sub == "bob"') });
    expect(faultsOf({ 'b.cedar': `// what is wrong\n${rule(when)}` })).toEqual([
      expect.stringMatching(/^b\.cedar(:2)?: .*nests? /),
    ]);
    for (const policy of [inForce, load({ 'a.cedar': rule('principal.sub == "bob"') })]) {
      expect(short(decide(policy, READ))).toBe('allow');
      expect(short(decide(policy, READ, { as: { subject: 'bob' } }))).toBe(FORBIDS);
    }
  });

  it.each<[string, string]>([
    ['parentheses', `${'('.repeat(60)}principal.sub == "bob"${')'.repeat(60)}`],
    ['alternatives', `${'principal.sub == "x" || '.repeat(95)}principal.sub == "bob"`],
    [
      'conditions',
      `${'if principal.sub == "x" || principal.sub == "y" then true else '.repeat(90)}principal.sub == "bob"`,
    ],
    ['sums', `principal.sub == "bob" && context.time.hour ${'+ 1 '.repeat(95)} > 5`],
  ])('%s as deep as they may be are evaluated', (_name, when) => {
    const policy = load({ 'a.cedar': rule(when) });
    expect(short(decide(policy, READ))).toBe('allow');
    expect(short(decide(policy, READ, { as: { subject: 'bob' } }))).toBe(FORBIDS);
  });

  it.each<[string, string[]]>([
    [
      'permit(principal, action, resource);',
      ['a.cedar:1: permit has no effect: a policy can only forbid. Write forbid(…) unless { … }'],
    ],
    [
      '\n\nforbid(principal, action == Action::"pya", resource);',
      ['a.cedar:3: unrecognized action `Action::"pya"`: did you mean `Action::"pay"`?'],
    ],
    [
      'forbid(principal, action == Action::"pay", resource)\nwhen {\n  context.arguments.amoun > 1 };',
      [
        'a.cedar:3: attribute `arguments.amoun` in context for Action::"pay" not found: did you mean `amount`?',
      ],
    ],
    [
      'forbid(principal, action == Action::"pay", resource) when { context.arguments.anything == 1 };',
      [
        'a.cedar:1: attribute `arguments.anything` in context for Action::"pay" not found: did you mean `account`?',
      ],
    ],
    [
      'forbid(principal, action, resource) when { context.arguments.amount > 1 };',
      [
        expect.stringContaining(
          'a.cedar:1: attribute `arguments.amount` in context for',
        ) as unknown as string,
      ],
    ],
    [
      'forbid(principal, action == Action::"pay", resource) when { context.arguments.amount == "1" };',
      [
        expect.stringMatching(
          /^a.cedar:1: the types Long and String are not compatible/,
        ) as unknown as string,
      ],
    ],
    [
      'forbid(principal, action == Action::"pay", resource) when { context.arguments.note == "1" };',
      [
        expect.stringMatching(
          /^a.cedar:1: unable to guarantee safety of access to optional attribute/,
        ) as unknown as string,
      ],
    ],
    [
      '// é\nforbid(principal, action, resource) when { context.a + };',
      [expect.stringMatching(/^a.cedar:2: unexpected token `}`/) as unknown as string],
    ],
    [
      'forbid(principal == ?principal, action, resource);',
      ['a.cedar:1: a template cannot be linked here: write a rule'],
    ],
    [
      'forbid(principal, action, resource) when { context == context };',
      ['a.cedar:1: it uses context as a whole: name its members, so that it is known what it needs'],
    ],
    [
      'forbid(principal, action == Action::"pay", resource) when { context.arguments == {amount: 1} };',
      [
        'a.cedar:1: it uses context.arguments as a whole: name the arguments that it needs',
        expect.any(String) as unknown as string,
      ],
    ],
    [
      '@phase("list")\nforbid(principal, action == Action::"pay", resource) when { context.arguments.amount > 1 };',
      ['a.cedar:1: it is to decide lists (@phase("list")), and needs arguments, which no list has'],
    ],
    [
      '@phase("call") forbid(principal, action == Action::"pay", resource);',
      [
        'a.cedar:1: it is to decide calls only (@phase("call")), and needs no arguments: a list would show what it forbids',
      ],
    ],
    [
      'forbid(principal, action == Action::"pay", resource) when { context.arguments has code && context.arguments.code == "x" };',
      ['a.cedar:1: it reads code, which pay is given in another form than it was sent in'],
    ],
    [
      '@id("a") forbid(principal, action, resource);\n@id("a") forbid(principal, action, resource);',
      ['a.cedar:2: its @id is that of a rule above'],
    ],
    [
      '@mod("shadow") forbid(principal, action, resource);',
      ['a.cedar:1: @mod means nothing here: there are @id, @message, @mode, @phase, @description'],
    ],
    [
      '@mode("maybe") @phase("x") @id("a b") forbid(principal, action, resource);',
      [
        'a.cedar:1: its @id is not 1 to 64 characters of A-Z a-z 0-9 _ . -',
        'a.cedar:1: its @mode is neither enforce nor shadow',
        'a.cedar:1: its @phase is neither list nor call',
      ],
    ],
    ['', ['a.cedar:1: it holds no rule: write one, or remove the file']],
    [
      '// forbid(principal, action, resource);\n',
      ['a.cedar:1: it holds no rule: write one, or remove the file'],
    ],
    // It would protect nothing.
    [
      'forbid(principal is Person, action, resource) when { principal is Workload };',
      [expect.stringContaining('a.cedar:1: policy is impossible') as unknown as string],
    ],
  ])('%j is refused, with its line', (text, expected) => {
    expect(faultsOf({ 'a.cedar': text })).toEqual(expected);
  });

  it('one that brings the engine down forbids, and takes no other with it', () => {
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

  it('are in the order of their lines, however many', () => {
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

describe('whatever the operator writes', () => {
  const names = fc.subarray(['read', 'write', 'admin', 'x']);
  const some = fc.subarray(['read', 'write', 'admin', 'x'], { minLength: 1 });
  const rules = fc.array(
    fc.record({
      match: fc.constantFrom('*', 'pay', 'read', 'w*', 'prompt:*'),
      scopes: fc.option(some, { nil: undefined }),
      roles: some,
      workloads: fc.option(fc.constantFrom('none', 'robot'), { nil: undefined }),
      assurance: fc.option(fc.record({ max_age: fc.integer({ min: 1, max: 120 }) }), { nil: undefined }),
      mode: fc.constantFrom('enforce', 'shadow'),
    }),
    { maxLength: 3 },
  );
  const file = fc.record({
    rules,
    list: fc.constantFrom('callable', 'obtainable'),
    allow_list: fc.option(fc.constantFrom(['*'], ['pay', 'r*'], ['prompt:*', 'write']), { nil: undefined }),
    scope_implies: fc.option(fc.constantFrom({ x: ['read'] }, { read: ['x'], x: ['write', 'admin'] }), {
      nil: undefined,
    }),
  });
  const conditions = fc.constantFrom(
    'principal.roles.contains("x")',
    'principal.scopes.contains("x")',
    'context.time.hour == 9',
    'action == Action::"read"',
    'context.arguments has amount && context.arguments.amount > 5',
    'context has ip && context.ip.isLoopback()',
    'principal is Workload',
    // Cannot be evaluated, whoever asks.
    'context.time.hour + 9223372036854775807 > 0',
    '{Value: context.arguments has amount}.Value',
  );
  const cedar = fc
    .array(fc.tuple(conditions, fc.boolean(), fc.constantFrom('when', 'unless')), { maxLength: 3 })
    .map((all) =>
      all
        .map(
          ([text, trial, word]) =>
            `${trial ? '@mode("shadow") ' : ''}forbid(principal, action, resource) ${word} { ${text} };`,
        )
        .join('\n'),
    );
  const folder = (yaml: object, text: string) => ({
    'policy.yaml': JSON.stringify(yaml),
    ...(text !== '' && { 'a.cedar': text }),
  });
  const callers = fc.record({
    kind: fc.constantFrom('human' as const, 'workload' as const),
    clientId: fc.constantFrom('agent', 'robot'),
    scopes: names,
    roles: names,
    authenticatedAt: fc.option(fc.integer({ min: MONDAY / 1000 - 120, max: MONDAY / 1000 })),
  });
  const calls = fc.record(
    {
      amount: fc.oneof(
        { weight: 3, arbitrary: fc.integer({ min: 0, max: 10 }) },
        fc.constantFrom<unknown>(null, '7', 1.5, 2 ** 53, true, [], {}, '\ud800'),
      ),
    },
    { requiredKeys: [] },
  );
  const asked = fc.constantFrom(...TARGETS);

  it('code holds: what a decorator denies no policy grants', () => {
    const none = loadPolicy(OPEN, TARGETS, undefined);
    let tightened = 0;
    fc.assert(
      fc.property(file, cedar, callers, asked, calls, (yaml, text, as, one, args) => {
        const policy = load(folder(yaml, text));
        // What a scope stands for is the one thing that the operator can add, and code decides with it.
        const implied = as.scopes.flatMap((scope) => policy.policy.impliedScopes.get(scope) ?? []);
        const worth = { ...as, scopes: [...as.scopes, ...implied] };
        const [floor, decision] = [decide(none, one, { as: worth, args }), decide(policy, one, { as, args })];
        if (decision.effect === 'allow') expect(floor.effect).toBe('allow');
        else if (floor.effect === 'allow') tightened += 1;
        loaded.splice(0).forEach((each) => each.dispose());
      }),
      { numRuns: 300 },
    );
    expect(tightened).toBeGreaterThan(20);
  });

  it('a file with mode: shadow changes no decision and no list', () => {
    const seen = new Set<string>();
    const shadowFile = fc.record(
      {
        rules: fc.array(
          fc.record(
            {
              match: fc.constantFrom('*', 'pay', 'read', 'w*', 'prompt:*'),
              roles: some,
              scopes: some,
              workloads: fc.constantFrom('none', 'robot'),
              assurance: fc.record({ max_age: fc.integer({ min: 1, max: 120 }) }),
              rate: fc.constantFrom('few', 'many'),
              mode: fc.constant('shadow'),
            },
            { requiredKeys: ['match', 'roles'] },
          ),
          { maxLength: 3 },
        ),
        list: fc.constantFrom('callable', 'obtainable'),
        allow_list: fc.constantFrom(['*'], ['pay', 'r*'], ['prompt:*', 'write']),
        scope_implies: fc.constantFrom({ x: ['read'] }, { read: ['x'], x: ['write', 'admin'] }),
        time_zone: fc.constantFrom('Europe/Berlin', 'UTC', 'Asia/Tokyo'),
        author: fc.constant('Dora'),
      },
      { requiredKeys: [] },
    );
    const rates = { few: { per_minute: 1 }, many: { per_day: 9 } };
    fc.assert(
      fc.property(shadowFile, cedar, callers, asked, calls, (yaml, text, as, one, args) => {
        const enforced: Record<string, string> = text === '' ? {} : { 'a.cedar': text };
        const without = load(enforced);
        const policy = load({
          ...enforced,
          'policy.yaml': JSON.stringify({ ...yaml, rates, mode: 'shadow' }),
        });
        const [was, is] = [without, policy].map((each) => {
          const { policy: _digest, shadow, ...decision } = decide(each, one, { as, args });
          const caller = callerOf({ ...ALICE, ...as }, each.policy, { now: MONDAY, ip: '127.0.0.1' });
          const { shown, hidden } = listTargets(caller, TARGETS);
          const own = each.policy.targets.get(one.kind === 'tool' ? one.name : `${one.kind}:${one.name}`);
          return { decision, shadow, shown, hidden, counted: own?.rates.filter(({ isShadow }) => !isShadow) };
        });
        expect({ ...is, shadow: null }).toEqual({ ...was, shadow: null });
        const would = is?.shadow && (is.shadow.reason === null ? 'allow' : 'deny');
        seen.add(`${is?.decision.effect} ${would ?? 'the same'}`);
        loaded.splice(0).forEach((each) => each.dispose());
      }),
      {
        numRuns: 250,
        // Rare among random cases: the scope is missing, and the shadow file implies it.
        examples: [
          [
            { scope_implies: { x: ['read'] } },
            '',
            { kind: 'human', clientId: 'agent', scopes: ['x'], roles: [], authenticatedAt: MONDAY / 1000 },
            READ,
            {},
          ],
        ],
      },
    );
    expect([...seen].sort()).toEqual([
      'allow deny',
      'allow the same',
      'deny allow',
      'deny deny',
      'deny the same',
    ]);
  }, 60_000);

  it('list and call agree: hidden targets are denied, listed ones only for arguments, scopes or assurance', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(file, cedar, callers, calls, (yaml, text, as, args) => {
        const { policy } = load(folder(yaml, text));
        const curable = yaml.list === 'callable' ? [] : ['scope_missing', 'assurance_insufficient'];
        const caller = (given?: JsonObject) =>
          callerOf({ ...ALICE, ...as }, policy, { now: MONDAY, ip: '127.0.0.1', arguments: given });
        const shown = new Set(listTargets(caller(), TARGETS).shown.map(({ name }) => name));
        for (const one of TARGETS) {
          const call = evaluate(caller(args), one);
          seen.add(`${shown.has(one.name) ? 'shown' : 'hidden'} ${call.effect}`);
          if (!shown.has(one.name)) expect(call.effect).toBe('deny');
          else if (call.effect === 'deny') expect(['condition_failed', ...curable]).toContain(call.reason);
          const bare = evaluate(caller(), one);
          if (bare.effect === 'deny') expect(curable.includes(bare.reason)).toBe(shown.has(one.name));
        }
        loaded.splice(0).forEach((each) => each.dispose());
      }),
      { numRuns: 300 },
    );
    expect([...seen].sort()).toEqual(['hidden deny', 'shown allow', 'shown deny']);
  });
});
