/** The built `mcp-gate policy` command and the access matrix of the example tools. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accessMatrixDrift } from './support/access-matrix.js';
import { readTools } from '../src/upstreams/connection/read-tools.js';
import { writePins } from '../src/upstreams/pins.js';
import { upstreamsFile } from './support/fixture-upstream.js';
import { Gate, PEOPLE, temporaryFolder, writePolicy } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';
import { type Ended, runProgram, runProgramSync } from './support/server-process.js';

const MATRIX = join(__dirname, 'cases/access-matrix.yaml');
const TUESDAY = '2026-11-24T10:00:00Z';
const folder = temporaryFolder();
afterAll(() => folder.remove());

const OLD = writePolicy(join(folder.path, 'old'), {
  'policy.yaml': 'author: Dora\nrules: [{id: dpo, match: "update_*", roles: [dpo], mode: shadow}]',
  'hours.cedar': `@id("hours") @message("In office hours")
forbid(principal, action == Action::"delete_customer", resource) unless { context.time.hour >= 8 && context.time.hour < 18 };
@id("domain") forbid(principal, action == Action::"send_email", resource) unless { context.arguments.to like "*@example.com" };`,
});
const NEW = writePolicy(join(folder.path, 'new'), {
  'policy.yaml': 'allow_list: ["*_customer"]\nrules: [{id: dpo, match: "update_*", roles: [dpo]}]',
});
const WRONG = writePolicy(join(folder.path, 'wrong'), { 'policy.yaml': 'rulse: []' });
const BOB = file('bob.json', {
  sub: 'bob',
  roles: ['admin'],
  scopes: ['database.read', 'database.write', 'email.send'],
});

function file(name: string, value: unknown): string {
  const path = join(folder.path, name);
  writeFileSync(path, JSON.stringify(value));
  return path;
}

function policy(args: readonly string[], env: Record<string, string> = {}): Ended {
  return runProgramSync('cli/mcp-gate.js', {
    args: ['policy', ...args],
    env: { TOOL_ALLOW_LIST: '*', EXAMPLE_TOOLS: 'true', ...env },
  });
}

it('check prints the requirements of a policy rule by rule, or all its faults', () => {
  const good = policy(['check', '--policy', OLD]);
  expect(good.code).toBe(0);
  expect(good.out.split('\n')).toEqual([
    expect.stringMatching(/^policy [\da-f]{64} by Dora$/),
    '  policy.yaml: dpo (shadow): update_*: role dpo',
    '  hours.cedar: hours: delete_customer: lists and calls',
    '  hours.cedar: domain: send_email: calls, by to',
    '  note: shadow mode, recorded without effect: policy.yaml: dpo',
    '',
  ]);
  expect(policy(['check'], { POLICY_DIR: OLD }).out).toBe(good.out);
  const wrong = policy(['check', '--policy', WRONG]);
  expect(wrong.code).toBe(1);
  expect(wrong.err).toContain('policy.yaml:1: rulse: is not a setting of this server');
  expect(wrong.out).toBe('');
  const json = policy(['check', '--policy', WRONG, '--json']);
  expect(json.code).toBe(1);
  expect(JSON.parse(json.out)).toEqual({ faults: [expect.stringContaining('policy.yaml:1: rulse: is not')] });
});

it('explain prints the evaluation of a call step by step', () => {
  const late = policy([
    'explain',
    '--policy',
    OLD,
    '--as',
    BOB,
    '--tool',
    'delete_customer',
    '--at',
    '2026-11-24T22:00:00Z',
  ]);
  expect(late.code).toBe(1);
  expect(late.out.split('\n')).toEqual([
    'delete_customer: denied: condition_failed, by hours.cedar: hours',
    '  ✓ allow-list      every list names it',
    '  ✓ roles           requires admin; the principal has admin',
    '  ✓ person          requires a user; the principal is a user',
    '  ✗ conditions      hours.cedar: hours denies the request: In office hours',
    '    authentication  not reached',
    '    scopes          not reached',
    '',
  ]);
  const day = policy(['explain', '--policy', OLD, '--as', BOB, '--tool', 'delete_customer', '--at', TUESDAY]);
  expect([day.code, day.out.split('\n')[0]]).toEqual([0, 'delete_customer: allowed']);
  const mail = (to: string) =>
    policy([
      'explain',
      '--policy',
      OLD,
      '--as',
      BOB,
      '--tool',
      'send_email',
      '--args',
      JSON.stringify({ to }),
    ]);
  expect([mail('a@example.com').code, mail('a@evil.com').code]).toEqual([0, 1]);
  const shadow = policy(['explain', '--policy', OLD, '--as', BOB, '--tool', 'update_customer']);
  expect(shadow.out).toContain('shadow: policy.yaml: dpo would deny with role_missing');
  const open = policy(['explain', '--policy', OLD, '--as', BOB, '--tool', 'send_email']);
  expect([open.code, open.out.split('\n')[0]]).toEqual([
    0,
    'send_email: depends on its arguments (hours.cedar: domain)',
  ]);
  const none = policy(['explain', '--as', BOB, '--tool', 'drop_database', '--json']);
  expect([none.code, JSON.parse(none.out)]).toEqual([
    1,
    expect.objectContaining({ decision: expect.objectContaining({ reason: 'tool_unknown' }) }),
  ]);
});

it.each<[string, unknown, string]>([
  [
    'an invalid delegation chain',
    { principal: { sub: 'x' }, delegation: 'bob' },
    'delegation: must be a list',
  ],
  [
    'an invalid delegation link',
    { principal: { sub: 'x' }, delegation: [{ sub: 'x', iss: 'y', type: 'bot' }] },
    'delegation[0].type: must be one of human, agent, client',
  ],
  ['no mapping', ['x'], 'must be a mapping with the list "principals"'],
  [
    'two equal names',
    { principals: [{ sub: 'x' }, { sub: 'x', roles: ['admin'] }] },
    'principals[1]: has the same name as principals[0]: give it a different name',
  ],
])('rejects a principals file with %s in one sentence', (_name, content, expected) => {
  const as = file('wrong.json', content);
  const { code, err, out } = policy(['matrix', '--as', as]);
  expect([code, out, err]).toEqual([3, '', `${as}: ${expected}\n`]);
});

it('schema prints a valid Cedar schema with every tool and its arguments', () => {
  const { code, out } = policy(['schema']);
  expect(code).toBe(0);
  expect(out).toContain('action "send_email" in [Action::"tools:*"]');
  expect(out).toMatch(/arguments: \{"to": String, "subject": String, "body": String\}/);
});

it('matrix prints the permissions as text, CSV and HTML', () => {
  const of = (format: string) =>
    policy([
      'matrix',
      '--policy',
      OLD,
      '--as',
      MATRIX.replace('.yaml', '.people.yaml'),
      '--format',
      format,
      '--at',
      TUESDAY,
    ]);
  expect(of('text').code).toBe(3);
  const people = file('people.json', {
    principals: [
      { name: 'alice', ...PEOPLE.alice, scope: undefined, scopes: ['database.read', 'email.send'] },
      { name: '=1+1', sub: '<b>', roles: ['admin'] },
    ],
  });
  const show = (format: string) =>
    policy(['matrix', '--policy', OLD, '--as', people, '--format', format, '--at', TUESDAY]).out;
  expect(show('text').split('\n')).toEqual([
    '                 alice          =1+1',
    'delete_customer  role_missing   scope_missing',
    'read_customer    yes            scope_missing',
    'send_email       depends        scope_missing',
    'update_customer  scope_missing  scope_missing',
    '',
  ]);
  expect(show('csv').split('\r\n')[0]).toBe(",alice,'=1+1");
  const page = show('html');
  expect(page).toContain('<td>role_missing (CustomerTools.deleteCustomer)</td>');
  expect(page).not.toMatch(/<script|https?:\/\//);
  expect(policy(['matrix']).out.split('\n')[0]).toBe('                 no role       admin');
  const hostile = ['\n=1+1', ' =1+1', '＝1+1', '\u001b[2J'].map((name) => ({ name, sub: 'x' }));
  const sheet = policy(['matrix', '--as', file('hostile.json', { principals: hostile }), '--format', 'csv']);
  expect(sheet.out.split('\r\n')[0]).toBe(",\\u{a}=1+1,' =1+1,'＝1+1,\\u{1b}[2J");
});

it('matrix has a column for each role in a condition', () => {
  const roles = writePolicy(join(folder.path, 'roles'), {
    'a.cedar': `forbid(principal in Role::"contractor", action, resource);
forbid(principal, action, resource) when { principal.roles.contains("guest") || principal.roles.containsAny(["x", "y"]) };
forbid(principal, action, resource) unless { principal.sub != "admin" || principal in Role::"auditor" };
forbid(principal, action, resource) when { principal.scopes.contains("no-role") };`,
  });
  const { out } = policy(['matrix', '--policy', roles]);
  expect(out.split('\n')[0]?.trim().split(/ {2,}/)).toEqual([
    'no role',
    'admin',
    'auditor',
    'contractor',
    'guest',
    'x',
    'y',
  ]);
  expect(out).toMatch(/read_customer +yes +condition_failed +yes +condition_failed +condition_failed/);
});

it('diff names the changed cells', () => {
  const changed = policy(['diff', OLD, NEW, '--as', BOB, '--at', TUESDAY]);
  expect([changed.code, changed.out]).toEqual([
    1,
    `2 cell(s) change:
  send_email, bob: depends → tool_not_allowed (policy.yaml: allow_list)
  update_customer, bob: yes → role_missing (policy.yaml: dpo)
`,
  ]);
  expect(policy(['diff', OLD, OLD])).toMatchObject({ code: 0, out: 'No decision changes.\n' });
  const other = writePolicy(join(folder.path, 'other'), {
    'mail.cedar':
      '@id("all") forbid(principal, action == Action::"send_email", resource) unless { context.arguments.to like "*" };',
  });
  const loosened = policy(['diff', OLD, other, '--as', BOB, '--at', TUESDAY]);
  expect([loosened.code, loosened.out]).toEqual([
    1,
    `1 cell(s) change:
  send_email, bob: depends on different conditions: mail.cedar: all
`,
  ]);
  expect(policy(['diff', OLD, join(folder.path, 'none')]).err).toContain(
    `${join(folder.path, 'none')}: The policy has 1 fault(s)`,
  );
});

it('diff names the targets that appear in lists and disappear from them', () => {
  const [callable, obtainable] = ['callable', 'obtainable'].map((list) =>
    writePolicy(join(folder.path, list), { 'policy.yaml': `list: ${list}` }),
  ) as [string, string];
  const carol = file('carol.json', { sub: 'carol', scopes: ['database.read'] });
  const asCarol = policy(['diff', obtainable, callable, '--as', carol]);
  expect([asCarol.code, asCarol.out]).toEqual([
    1,
    `list: obtainable → callable
2 cell(s) change:
  send_email, carol: disappears from lists (scope_missing)
  update_customer, carol: disappears from lists (scope_missing)
`,
  ]);
  const byRole = policy(['diff', callable, obtainable]);
  expect(byRole.code).toBe(1);
  expect(byRole.out).toContain('  read_customer, no role, no scope: appears in lists (scope_missing)');
  const json = JSON.parse(policy(['diff', callable, obtainable, '--as', carol, '--json']).out) as object[];
  expect(json).toContainEqual(expect.objectContaining({ target: 'send_email', listed: true }));
  expect(policy(['diff', callable, callable])).toMatchObject({ code: 0, out: 'No decision changes.\n' });
});

describe('policy commands with upstreams', () => {
  const env: Record<string, string> = {};
  const logged = (principal: object, time: string, more: object = {}) => ({
    v: 1,
    seq: 1,
    instance: 'i',
    time,
    event: 'decision',
    decision: 'allow',
    tool: 'fix_echo',
    request: { ip: '127.0.0.1' },
    principal: {
      iss: 'https://issuer.example',
      sub: 'alice',
      kind: 'human',
      client_id: 'agent',
      tenant: null,
      scopes: ['fix.read'],
      roles: [],
      acr: [],
      auth_time: null,
      token_id: null,
      ...principal,
    },
    delegation: [],
    on_behalf_of: null,
    ...more,
  });
  const auditLog = (...lines: object[]) => {
    const path = join(folder.path, 'log.jsonl');
    writeFileSync(path, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
    return path;
  };
  const tightened = writePolicy(join(folder.path, 'tightened'), {
    'policy.yaml': 'allow_list: ["fix_*"]\nrules: [{id: more, match: fix_echo, scopes: fix.more}]',
  });

  beforeAll(async () => {
    const tools = [{ match: '*', scopes: ['fix.read'] }];
    Object.assign(
      env,
      upstreamsFile(folder.path, [
        { name: 'fix', command: ['never-started'], tools },
        { name: 'later', command: ['never-started'], tools },
      ]),
      { UPSTREAM_PINS_FILE: join(folder.path, 'pins.json'), TOOL_ALLOW_LIST: 'fix_echo,later_any' },
    );
    const { tools: read } = readTools([
      { name: 'echo', inputSchema: { type: 'object', properties: { text: { type: 'string' } } } },
    ]);
    await writePins(
      env.UPSTREAM_PINS_FILE as string,
      new Map([['fix', new Map(read.map((one) => [one.name, one]))]]),
    );
  });

  it('include the accepted tools of an upstream and name an upstream without accepted tools', () => {
    const check = policy(['check', '--policy', tightened], env);
    expect(check.code).toBe(0);
    expect(check.err).toMatch(
      /^The upstream later has no accepted definitions in \S+pins\.json: its tools are not known here\./,
    );
    expect(policy(['check', '--policy', tightened], { TOOL_ALLOW_LIST: '*' }).err).toContain('fix_*');
    expect(policy(['matrix'], env).out).toMatch(/^fix_echo +yes/m);
    expect(policy(['schema'], env).out).toContain('action "fix_echo"');
    const replayed = policy(
      ['replay', auditLog(logged({}, '2026-11-24T10:00:00.000Z')), '--policy', tightened],
      env,
    );
    expect(replayed.out).toContain('fix_echo: allow → scope_missing, by policy.yaml: more: 1 time(s)');
  });

  it('explain with the principal of the newest record of a subject', () => {
    const AUDIT_FILE = auditLog(
      logged({ scopes: ['fix.read'] }, '2026-11-24T11:00:00.000Z'),
      logged({ scopes: [], client_id: 'other' }, '2026-11-24T10:00:00.000Z'),
      logged({ sub: 'bob' }, '2026-11-24T10:00:00.000Z'),
      logged({ sub: 'bob', iss: 'https://other.example' }, '2026-11-24T10:00:00.000Z'),
    );
    const as = (name: string) =>
      policy(['explain', '--as', name, '--tool', 'fix_echo'], { ...env, AUDIT_FILE });
    const alice = as('alice');
    expect([alice.code, alice.out.split('\n')[0]]).toEqual([0, 'fix_echo: allowed']);
    expect(alice.err).toContain('alice via agent, from the record of 2026-11-24T11:00:00.000Z');
    const other = as('alice via other');
    expect([other.code, other.out.split('\n')[0]]).toEqual([1, expect.stringContaining('scope_missing')]);
    expect(as('bob').err).toContain(
      '--as: "bob" is a subject of several issuers ("https://issuer.example" and "https://other.example"): write the principal to a file.',
    );
    const none = as('alcie');
    expect([none.code, none.out]).toEqual([3, '']);
    expect(none.err).toContain(
      '"alcie" is neither a file nor a subject of the audit log. Similar names: "alice".',
    );
  });
});

describe('policy explain with a token on stdin', () => {
  const audience = 'urn:gate';
  const explainToken = async (input: string, issuer: string): Promise<Ended> => {
    const { code, out, err } = await runProgram('cli/mcp-gate.js', {
      args: ['policy', 'explain', '--as', '-', '--tool', 'read_customer'],
      env: { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, TOOL_ALLOW_LIST: '*', EXAMPLE_TOOLS: 'true' },
      input,
    });
    // The output contains neither the token nor its signature.
    for (const part of input.split('.')) expect(`${out}${err}`).not.toContain(part.slice(0, 20) || '.');
    return { code, out, err };
  };

  it('verifies a token of a configured issuer and decodes others with a warning', async () => {
    const issuer = await TestIssuer.start();
    const token = await issuer.mint(audience, { sub: 'alice', scope: 'database.read' });
    const verified = await explainToken(`Bearer ${token}\n`, issuer.url);
    expect([verified.code, verified.out.split('\n')[0], verified.err]).toEqual([
      0,
      'read_customer: allowed',
      'the token is verified\n',
    ]);
    const forged = await explainToken(`${token.slice(0, -8)}AAAAAAAA`, issuer.url);
    expect([forged.code, forged.err]).toEqual([
      1,
      expect.stringContaining('the server rejects this token (token_signature)'),
    ]);
    const stranger = await explainToken(token, 'https://issuer.example');
    expect([stranger.code, stranger.out]).toEqual([3, '']);
    expect(stranger.err).toContain('which is not a configured issuer');
    await issuer.stop();
    const unverified = await explainToken(token, issuer.url);
    expect([unverified.code, unverified.out.split('\n')[0]]).toEqual([0, 'read_customer: allowed']);
    expect(unverified.err).toContain('the token is NOT verified');
    const opaque = await explainToken('0123456789abcdefghijklmnop', issuer.url);
    expect([opaque.code, opaque.out]).toEqual([3, '']);
    expect(opaque.err).toContain('opaque or damaged');
  });
});

it('replay repeats the decisions of the audit log and lists the differences', async () => {
  const gate = await Gate.start();
  const [alice, bob] = [await gate.token(PEOPLE.alice), await gate.token(PEOPLE.bob)];
  await gate.callTool(alice, 'read_customer', { customer_id: '123' });
  await gate.callTool(alice, 'update_customer', { customer_id: '123', tier: 'premium' });
  await gate.callTool(bob, 'update_customer', { customer_id: '123', tier: 'premium' });
  await gate.callTool(bob, 'send_email', { to: 'a@example.com', subject: 's', body: 'b' });
  await gate.callTool(undefined, 'read_customer', { customer_id: '123' });
  const auditLog = gate.app.settings.audit.file;
  const copy = join(folder.path, 'audit.jsonl');
  writeFileSync(copy, readFileSync(auditLog));
  await gate.close();

  const replayed = policy(['replay', copy, '--policy', NEW, '--json']);
  expect(replayed.code).toBe(1);
  const lines = replayed.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(lines).toEqual([
    expect.objectContaining({
      person: 'alice',
      target: 'update_customer',
      before: 'scope_missing',
      after: 'role_missing',
    }),
    expect.objectContaining({
      person: 'bob',
      target: 'update_customer',
      before: 'allow',
      after: 'role_missing',
      rule: 'policy.yaml: dpo',
    }),
    expect.objectContaining({
      person: 'bob',
      target: 'send_email',
      before: 'allow',
      after: 'tool_not_allowed',
    }),
  ]);
  const text = policy(['replay', copy, '--policy', OLD]);
  expect(text.out).toBe(
    '3 decision(s) replayed: 3 unchanged, 0 different.\n1 cannot be replayed: hours.cedar: domain reads arguments that are not recorded.\n',
  );
  const people = policy(['matrix', '--audit-log', copy, '--policy', NEW]);
  expect(people.out.split('\n')[0]).toBe('                 alice via agent   bob via agent');

  const records = readFileSync(copy, 'utf8').split('\n');
  const decision = records.find((line) => line.includes('"event":"decision"')) ?? '';
  const changed = (change: object) => JSON.stringify({ ...(JSON.parse(decision) as object), ...change });
  const { principal } = JSON.parse(decision) as { principal: object };
  const hostile = [
    changed({ principal: {} }),
    changed({ principal: 'bob' }),
    changed({ delegation: null }),
    changed({ request: undefined }),
    changed({ tool: 7 }),
    changed({ time: 'never', arguments: [] }),
    changed({ principal: { ...principal, iss: 'https://other.example' } }),
    '{"v":1}',
    'null',
    '\u0000',
  ];
  writeFileSync(copy, [records[0], decision, ...hostile, ''].join('\n'));
  const damaged = policy(['replay', copy, '--policy', OLD]);
  expect([damaged.code, damaged.err]).toEqual([0, '']);
  const two = policy(['matrix', '--audit-log', copy]).out.split('\n')[0]?.trim();
  expect(two).toMatch(/^alice via agent, of http:\S+ +alice via agent, of https:\/\/other\.example$/);
});

it.each<[string[], string]>([
  [[], 'Name a command: check, schema, explain, matrix, diff or replay. Options follow it.'],
  [['expalin'], 'Unknown command "expalin". Did you mean explain?'],
  [['explain', '--tool', 'x'], "Required option '--as <who>' not specified."],
  [['check', '--as', 'x'], 'Unknown option --as.'],
  [['diff', 'a'], "Missing required argument 'new'."],
  [['matrix', '--roles', '--as', 'x'], '--as, --roles and --audit-log exclude each other: use one of them.'],
  [['check', '--format', 'html'], '--format must be one of text, json.'],
  [['check', 'x'], "Too many arguments for 'check'. Expected 0 arguments but got 1."],
  [['explain', '--as', 'x', '--tool', 'y', '--args', '[]'], '--args must be a JSON object.'],
  [['matrix', '--ip', 'here'], '--ip: "here" is not an IP address.'],
  [
    ['matrix', '--at', 'noon'],
    '--at: "noon" is not a valid time. Use one of these forms: 7d (also m, h, w: minutes, hours and weeks before now), 2026-11-22, or 2026-11-22T10:00:00Z with a zone.',
  ],
])('reports %j as a usage error', (args, says) => {
  const { code, err, out } = policy(args);
  expect([code, err.split('\n')[0], out]).toEqual([2, says, '']);
});

it('warns that an unset allow-list is treated as open', () => {
  const { code, err } = runProgramSync('cli/mcp-gate.js', { args: ['policy', 'matrix'] });
  expect([code, err]).toEqual([
    0,
    'TOOL_ALLOW_LIST is not set: the command uses *, but the server does not start without it.\n',
  ]);
});

describe('access matrix', () => {
  const EXAMPLES = { env: { EXAMPLE_TOOLS: 'true' } };

  it('of the example tools matches the expected file', async () => {
    expect(await accessMatrixDrift(MATRIX, EXAMPLES)).toEqual([]);
  });

  it('reports each drift', async () => {
    const text = readFileSync(MATRIX, 'utf8')
      .replace('bob: allow, carol: scope_missing', 'bob: scope_missing, carol: scope_missing')
      .replace(
        / {2}send_email.*\n/,
        '  send_mail: { alice: allow, bob: allow, carol: allow, robot: allow }\n',
      );
    const changed = join(folder.path, 'matrix.yaml');
    writeFileSync(changed, text);
    expect(await accessMatrixDrift(changed, EXAMPLES)).toEqual([
      'read_customer, bob: expected scope_missing, is allow',
      ...['alice', 'bob', 'carol', 'robot'].map(
        (name) => `send_mail, ${name}: expected allow, is not registered`,
      ),
      'send_email, alice: expected nothing, is allow',
      'send_email, bob: expected nothing, is allow',
      'send_email, carol: expected nothing, is scope_missing',
      'send_email, robot: expected nothing, is human_required',
    ]);
  });

  it('reports a name without a principal', async () => {
    const text = readFileSync(MATRIX, 'utf8').replace(
      'carol: role_missing',
      'carol: role_missing, dave: allow',
    );
    const changed = join(folder.path, 'stranger.yaml');
    writeFileSync(changed, text);
    expect(await accessMatrixDrift(changed, EXAMPLES)).toEqual([
      'delete_customer, dave: there is no such principal',
    ]);
  });

  it('can be checked with a policy', async () => {
    const drift = await accessMatrixDrift(MATRIX, { ...EXAMPLES, policy: NEW, now: new Date(TUESDAY) });
    expect(drift).toContain('update_customer, bob: expected allow, is role_missing');
    expect(drift).toContain('send_email, bob: expected allow, is tool_not_allowed');
  });
});
