/** Faults of policy files: named by file and line, all at once; the policy in force stays. */
import {
  decide,
  disposePolicies,
  faultsOf,
  FORBIDS,
  load,
  READ,
  rule,
  short,
} from '../../test/support/policies.js';

afterEach(disposePolicies);

describe('loadPolicy with a faulty policy.yaml', () => {
  it.each<[string, string[]]>([
    ['rules:\n  - match: pax\n    scopes: x', ['policy.yaml:2: pax matches no target']],
    ['allow_list: ["x*"]', ['policy.yaml: allow_list: x* matches no target']],
    [
      'rules:\n  - match: pay\n',
      [
        'policy.yaml:2: rules[0]: has no requirement: set at least one of scopes, roles, assurance, workloads, rate',
      ],
    ],
    [
      'author: a\nrules:\n  - match: pay\n    scopse: x',
      [
        'policy.yaml:4: rules[0].scopse: is not a setting of this server',
        'policy.yaml:3: rules[0]: has no requirement: set at least one of scopes, roles, assurance, workloads, rate',
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
      ['policy.yaml:1: rules[0].rate: unknown class "slow": define it under rates'],
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
        'policy.yaml:6: rules[0].rate: unknown class "b": define it under rates',
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
      ['policy.yaml: no login satisfies all requirements of pay: check acr'],
    ],
    ['allow_list: [pay]\nallow_list: [read]', ['policy.yaml: line 2 is not valid YAML (DUPLICATE_KEY)']],
    ['- a', ['policy.yaml: must be a mapping with the list "rules"']],
    ['shadow: [none.cedar]', ['policy.yaml: shadow: unknown file none.cedar']],
    ['tools: []', ['policy.yaml:1: tools: is not a setting of this server']],
  ])('rejects %j and names the line', (text, expected) => {
    expect(faultsOf({ 'policy.yaml': text })).toEqual(expected);
  });

  it.each<[string, string, string]>([
    [
      'lists nested in lists',
      `author: a\nrules: ${'['.repeat(100_000)}${']'.repeat(100_000)}`,
      'line 2 is nested more',
    ],
    ['mappings nested in mappings', `author: a\nrates: ${'{a: '.repeat(50_000)}`, 'line 2 is nested more'],
    ['blocks nested in blocks', `rules:\n${'- '.repeat(100_000)}x`, 'line 2 is nested more'],
    [
      'a mapping with too many members',
      `rates:\n${Array.from({ length: 40_000 }, (_, at) => `  r${at}: {per_day: 1}`).join('\n')}`,
      'line 2 begins a mapping of more than 1000 members',
    ],
  ])('rejects %s within seconds', (_name, text, expected) => {
    const started = performance.now();
    expect(faultsOf({ 'policy.yaml': text })).toEqual([expect.stringContaining(expected)]);
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  it('follows a chain of 990 implied scopes, and names every scope of a cycle', () => {
    const text = `scope_implies:\n${Array.from({ length: 990 }, (_, at) => `  s${at}: [s${at + 1}]`).join('\n')}`;
    const { policy } = load({ 'policy.yaml': text });
    expect(policy.impliedScopes.get('s0')).toHaveLength(990);
    expect(faultsOf({ 'policy.yaml': `${text}\n  s990: [s0]` })).toHaveLength(991);
  });
});

describe('loadPolicy with a faulty .cedar file', () => {
  it.each<[string, string]>([
    ['parentheses', `${'('.repeat(500)}true${')'.repeat(500)}`],
    ['negations', `${'!('.repeat(200)}true${')'.repeat(200)}`],
    ['lists', `${'['.repeat(200)}1${']'.repeat(200)} == [1]`],
    ['alternatives', `${'principal.sub == "x" || '.repeat(500)}false`],
    ['many alternatives', `${'principal.sub == "x" || '.repeat(5000)}false`],
    ['sums', `context.time.hour ${'+ 1 '.repeat(500)} > 5`],
    ['conditions', `${'if principal.sub == "x" then true else '.repeat(500)}false`],
  ])('rejects %s that nest too deeply, while the policy in force stays usable', (_name, when) => {
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
  ])('evaluates %s of the greatest permitted depth', (_name, when) => {
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
      ['a.cedar:1: templates are not supported: write a rule'],
    ],
    [
      'forbid(principal, action, resource) when { context == context };',
      ['a.cedar:1: it uses context as a whole: name its members'],
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
      ['a.cedar:1: @phase("list") contradicts its arguments, which lists do not have'],
    ],
    [
      '@phase("call") forbid(principal, action == Action::"pay", resource);',
      [
        'a.cedar:1: @phase("call") requires a condition on arguments: otherwise lists would show forbidden targets',
      ],
    ],
    [
      'forbid(principal, action == Action::"pay", resource) when { context.arguments has code && context.arguments.code == "x" };',
      ['a.cedar:1: it reads code, which pay receives in transformed form'],
    ],
    [
      '@id("a") forbid(principal, action, resource);\n@id("a") forbid(principal, action, resource);',
      ['a.cedar:2: its @id repeats that of an earlier rule'],
    ],
    [
      '@mod("shadow") forbid(principal, action, resource);',
      ['a.cedar:1: unknown annotation @mod: supported are @id, @message, @mode, @phase, @description'],
    ],
    [
      '@mode("maybe") @phase("x") @id("a b") forbid(principal, action, resource);',
      [
        'a.cedar:1: its @id is not 1 to 64 characters of A-Z a-z 0-9 _ . -',
        'a.cedar:1: its @mode is neither enforce nor shadow',
        'a.cedar:1: its @phase is neither list nor call',
      ],
    ],
    ['', ['a.cedar:1: the file contains no rule: write one, or remove the file']],
    [
      '// forbid(principal, action, resource);\n',
      ['a.cedar:1: the file contains no rule: write one, or remove the file'],
    ],
    // Would have no effect.
    [
      'forbid(principal is Person, action, resource) when { principal is Workload };',
      [expect.stringContaining('a.cedar:1: policy is impossible') as unknown as string],
    ],
  ])('rejects %j and names the line', (text, expected) => {
    expect(faultsOf({ 'a.cedar': text })).toEqual(expected);
  });
});
