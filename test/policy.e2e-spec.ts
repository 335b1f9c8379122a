/** The operator's policy in a running server: denials, records, and changes without a restart. */
import { Client } from '@modelcontextprotocol/client';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Gate, readAuditLog, temporaryFolder, writePolicy, type AuditLogLine } from './support/gate.js';
import { mountFiles } from './support/mounted.js';
import { ProbeModule, Runs } from './support/probe.tools.js';
import { until } from './support/remote.js';

const FORBID_ECHO = `@id("no-secrets") @message("Say it without secrets")
forbid(principal, action == Action::"echo", resource) when { context.arguments.text like "*secret*" };`;

let gate: Gate;
let alice: string;
const folder = () => gate.app.settings.policy.directory as string;
const runs = () => gate.app.nest.get(Runs).names;
const digest = async () => (await gate.get('/health/ready')).body.policy.sha256 as string;
const whole = (): AuditLogLine[] => readAuditLog(gate.app.settings.audit.file);
const names = async (token: string) =>
  ((await gate.modern(token, 'tools/list')).body.result.tools as { name: string }[]).map(({ name }) => name);

/** Changes the files and waits until they are in force. */
async function change(files: Record<string, string>): Promise<void> {
  const before = await digest();
  writePolicy(folder(), files);
  await until(async () => (await digest()) !== before);
}

beforeAll(async () => {
  gate = await Gate.start({
    database: false,
    imports: [ProbeModule],
    policy: { 'rules.cedar': FORBID_ECHO },
    env: { RATE_LIMIT_PER_MINUTE: '0' },
  });
  alice = await gate.token({ scope: 'probe', exp: Math.floor(Date.now() / 1000) + 3000 });
});
afterAll(() => gate.close());

it('denies a call with the message of the condition and records rule and policy', async () => {
  const ran = runs().length;
  expect((await gate.callTool(alice, 'echo', { text: 'a secret' })).body.error).toEqual({
    code: 403,
    message: 'Say it without secrets',
    data: { reason: 'condition_failed', decision_id: expect.any(String) as string },
  });
  expect(runs()).toHaveLength(ran);
  expect(gate.auditLog().at(-1)).toMatchObject({
    event: 'decision',
    decision: 'deny',
    reason: 'condition_failed',
    rule: 'rules.cedar: no-secrets',
    policy: await digest(),
    tool: 'echo',
  });
  expect((await gate.callTool(alice, 'echo', { text: 'hello' })).status).toBe(200);
  expect(await names(alice)).toContain('echo');
  expect(whole().find(({ change }) => change?.what === 'start')?.change.configuration.policy_sha256).toBe(
    await digest(),
  );
});

it('denies arguments that violate the declaration of the tool when a condition reads them', async () => {
  const ran = runs().length;
  for (const args of [{ text: 1 }, { text: ['a secret'] }, {}, { text: null }]) {
    const { status, body } = await gate.callTool(alice, 'echo', args);
    expect([status, body.error.data.reason]).toEqual([403, 'condition_failed']);
  }
  expect(runs()).toHaveLength(ran);
});

it('evaluates a resource condition on the decoded parameters of the URI template', async () => {
  await change({
    'a.cedar': `@id("secret") forbid(principal, action == Action::"resource:page", resource)
      when { context.arguments.section == "secret" };`,
  });
  const ran = runs().length;
  const reads = ['docs://secret/x', 'docs://%73ecret/x', 'docs://%73%65%63%72%65%74/x', 'docs://secrets/x'];
  const answers = [];
  for (const uri of reads)
    answers.push(await gate.modern(alice, 'resources/read', { uri }, { 'mcp-name': uri }));
  expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 200]);
  expect(runs().slice(ran)).toEqual(['page']);
  writePolicy(folder(), {
    'a.cedar': `forbid(principal, action == Action::"resource:page", resource)
      when { context.arguments.uri == "docs://secret/x" };`,
  });
  await until(async () => (await gate.get('/health/ready')).body.policy.refused_since !== undefined);
});

it('counts a rate class per caller and records the counting rule', async () => {
  await change({
    'policy.yaml': 'rates: {slow: {per_minute: 2}}\nrules: [{id: slow-echo, match: echo, rate: slow}]',
  });
  const carol = await gate.token({ sub: 'carol', scope: 'probe' });
  const ran = runs().length;
  const statuses = [];
  for (let call = 0; call < 3; call++)
    statuses.push((await gate.callTool(carol, 'echo', { text: 'x' })).status);
  expect(statuses).toEqual([200, 200, 429]);
  expect(runs()).toHaveLength(ran + 2);
  expect(gate.auditLog().at(-1)).toMatchObject({
    event: 'decision',
    decision: 'deny',
    reason: 'rate_limited',
    rule: 'policy.yaml: slow-echo',
    tool: 'echo',
  });
  expect((await gate.callTool(alice, 'echo', { text: 'x' })).status).toBe(200);
  expect((await gate.callTool(carol, 'steps')).status).toBe(200);
});

it('records a shadow rule without applying it', async () => {
  await change({
    'policy.yaml': 'list: callable\nrules: [{id: more, match: [echo, steps], scopes: more, mode: shadow}]',
  });
  expect((await gate.callTool(alice, 'echo', { text: 'x' })).status).toBe(200);
  const decision = gate.auditLog().findLast(({ event }) => event === 'decision');
  expect(decision).toMatchObject({
    decision: 'allow',
    shadow: { reason: 'scope_missing', rule: 'policy.yaml: more' },
  });
  await names(alice);
  expect(gate.auditLog().at(-1)).toMatchObject({
    event: 'list',
    list: { would_hide: 2 },
    policy: await digest(),
  });
});

it('records the grants, denials and listings of a shadow file without applying them', async () => {
  await change({
    'policy.yaml': `mode: shadow
list: obtainable
scope_implies: {super: [probe]}
rates: {slow: {per_minute: 2}}
rules: [{id: slow-echo, match: echo, rate: slow}]`,
  });
  const erin = await gate.token({ sub: 'erin', scope: 'super' });
  const ran = runs().length;
  const { status, body } = await gate.callTool(erin, 'echo', { text: 'x' });
  expect([status, body.error.data.reason, runs().length]).toEqual([403, 'scope_missing', ran]);
  expect(gate.auditLog().at(-1)).toMatchObject({
    decision: 'deny',
    reason: 'scope_missing',
    shadow: { reason: null, rule: 'policy.yaml: scope_implies' },
  });
  const dave = await gate.token({ sub: 'dave', scope: 'probe' });
  for (let call = 0; call < 3; call++) {
    expect((await gate.callTool(dave, 'echo', { text: 'x' })).status).toBe(200);
  }
  const decisions = gate
    .auditLog()
    .filter(({ event, on_behalf_of: who }) => event === 'decision' && who === 'dave');
  expect(decisions.map(({ decision, shadow }) => [decision, shadow])).toEqual([
    ['allow', undefined],
    ['allow', undefined],
    ['allow', { reason: 'rate_limited', rule: 'policy.yaml: slow-echo' }],
  ]);
  await change({ 'policy.yaml': 'mode: shadow\nlist: callable\nscope_implies: {super: [probe]}' });
  expect(await names(erin)).toEqual(await names(await gate.token({ sub: 'erin', scope: 'more' })));
});

it('applies a changed policy to all requests and records it with its author beforehand', async () => {
  await change({
    'policy.yaml': 'author: Dora\nlist: callable\nrules: [{id: more, match: echo, scopes: probe.more}]',
  });
  const refused = await gate.callTool(alice, 'echo', { text: 'x' });
  expect(refused.headers.get('www-authenticate')).toContain('scope="probe probe.more"');
  expect(await names(alice)).not.toContain('echo');
  const line = whole().findLast(({ change: one }) => one?.what === 'policy');
  expect(line?.change).toEqual({
    what: 'policy',
    from: expect.stringMatching(/^[\da-f]{64}$/) as string,
    to: await digest(),
    author: 'Dora',
    files: [{ name: 'policy.yaml', sha256: expect.any(String) as string }],
  });
  expect(gate.auditLog().at(-1)?.policy).toBe(await digest());
});

it('adapts the first challenge to the policy and records the change', async () => {
  const challenged = async () => {
    const [refused, document] = await Promise.all([
      gate.callTool(undefined, 'echo', { text: 'x' }),
      gate.get('/.well-known/oauth-protected-resource/mcp'),
    ]);
    const [, scopes = ''] = /scope="([^"]*)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? [];
    expect(document.body.scopes_supported).toEqual(scopes.split(' '));
    return scopes.split(' ');
  };
  await change({ 'policy.yaml': 'allow_list: [echo]' });
  expect(await challenged()).toEqual(['probe']);
  await change({ 'policy.yaml': 'allow_list: [echo]\nrules: [{match: echo, scopes: probe.extra}]' });
  expect(await challenged()).toEqual(['probe', 'probe.extra']);
  expect(whole().findLast(({ change: one }) => one?.what === 'challenge_scopes')?.change).toEqual({
    what: 'challenge_scopes',
    from: ['probe'],
    to: ['probe', 'probe.extra'],
  });
  // A shadow rule does not require scopes.
  await change({
    'policy.yaml': 'allow_list: [echo]\nrules: [{match: echo, scopes: probe.extra, mode: shadow}]',
  });
  expect(await challenged()).toEqual(['probe']);
  await change({ 'policy.yaml': 'author: Dora\nrules: [{id: more, match: echo, scopes: probe.more}]' });
});

it('lists a tool that only lacks a scope and denies the call', async () => {
  const ran = runs().length;
  expect(await names(alice)).toContain('echo');
  const refused = await gate.callTool(alice, 'echo', { text: 'x' });
  expect([refused.status, refused.body.error.data.reason]).toEqual([403, 'scope_missing']);
  expect(gate.auditLog().at(-1)).toMatchObject({ decision: 'deny', reason: 'scope_missing', tool: 'echo' });
  expect(runs()).toHaveLength(ran);
});

it('keeps the previous policy when the new one is invalid and reports this in readiness', async () => {
  const before = await digest();
  writeFileSync(join(folder(), 'wrong.cedar'), 'forbid(principal, action == Action::"eco", resource);');
  const status = async () => (await gate.get('/health/ready')).body.policy as Record<string, unknown>;
  await until(async () => 'refused_since' in (await status()));
  expect(await digest()).toBe(before);
  expect((await gate.callTool(alice, 'echo', { text: 'x' })).body.error.data.reason).toBe('scope_missing');
  await change({ 'policy.yaml': 'author: Dora' });
  expect(await status()).not.toHaveProperty('refused_since');
  expect((await gate.callTool(alice, 'echo', { text: 'x' })).status).toBe(200);
});

it('applies a swapped ConfigMap mount, including added and removed files', async () => {
  const mounted = temporaryFolder();
  mountFiles(mounted.path, { 'rules.cedar': FORBID_ECHO });
  const other = await Gate.start({
    database: false,
    imports: [ProbeModule],
    env: { POLICY_DIR: mounted.path },
  });
  const token = await other.token({ scope: 'probe' });
  const says = async (text: string) => (await other.callTool(token, 'echo', { text })).status;
  const inForce = async () => (await other.get('/health/ready')).body.policy.sha256 as string;
  const swap = async (files: Record<string, string>) => {
    const before = await inForce();
    mountFiles(mounted.path, files);
    await until(async () => (await inForce()) !== before);
  };
  expect([await says('a secret'), await says('hello')]).toEqual([403, 200]);
  await swap({ 'rules.cedar': FORBID_ECHO.replace('secret*', 'hello*') });
  expect([await says('a secret'), await says('hello')]).toEqual([200, 403]);
  // The second swap keeps the names, so the links do not change.
  await swap({ 'rules.cedar': FORBID_ECHO });
  expect([await says('a secret'), await says('hello')]).toEqual([403, 200]);
  await swap({ 'more.cedar': FORBID_ECHO });
  expect([await says('a secret'), await says('hello')]).toEqual([403, 200]);
  await other.close();
  mounted.remove();
});

it('notifies only clients whose list changed', async () => {
  await change({ 'policy.yaml': 'list: callable' });
  const listeners = await Promise.all(
    ['probe', 'other'].map(async (scope) => {
      const told: string[] = [];
      const client = new Client(
        { name: 'listener', version: '1' },
        {
          versionNegotiation: { mode: 'auto' },
          listChanged: { tools: { autoRefresh: false, onChanged: () => void told.push('tools') } },
        },
      );
      const token = await gate.token({ scope });
      await client.connect(
        new StreamableHTTPClientTransport(new URL(gate.url), {
          requestInit: { headers: { authorization: `Bearer ${token}` } },
        }),
      );
      return { client, told };
    }),
  );
  await change({ 'policy.yaml': 'list: callable\nrules: [{match: echo, scopes: probe.more}]' });
  await until(() => listeners[0]?.told.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(listeners.map(({ told }) => told)).toEqual([['tools'], []]);
  await Promise.all(listeners.map(({ client }) => client.close()));
});

it('closes a stream when its token expires', async () => {
  const short = await gate.token({ scope: 'probe', exp: Math.floor(Date.now() / 1000) + 2 });
  const started = performance.now();
  const answer = await gate.modern(short, 'subscriptions/listen', {
    notifications: { toolsListChanged: true },
  });
  expect(answer.status).toBe(200);
  expect(performance.now() - started).toBeLessThan(10_000);
});

it.each<[string, Record<string, string>, RegExp]>([
  ['wrong', { 'a.cedar': 'permit(principal, action, resource);' }, /a\.cedar:1: permit has no effect/],
  ['empty', {}, /POLICY_DIR: holds neither policy\.yaml nor a \.cedar file/],
  [
    'of an unknown file type',
    { 'policy.yml': 'rules: []' },
    /policy\.yml: is neither policy\.yaml nor a \.cedar file/,
  ],
])('does not start with a policy that is %s', async (_name, policy, expected) => {
  await expect(Gate.start({ database: false, imports: [ProbeModule], policy })).rejects.toThrow(expected);
});
