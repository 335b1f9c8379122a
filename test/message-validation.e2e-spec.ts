/** Invalid JSON-RPC messages: rejected with the documented status, recorded once, without a tool run or a leak. */
import fc from 'fast-check';
import {
  ARGUMENTS,
  BODIES,
  CONTRADICTIONS,
  ECHO_TEXT,
  ENVELOPES,
  HOSTILE_KEYS,
  LEGACY,
  type MessageCase,
  META,
  modernHeaders,
  NAMES,
  PARAMETERS,
} from './cases/bad-bodies.js';
import { expectNoLeak, ObservedGate } from './support/observed-gate.js';

let observed: ObservedGate;

beforeAll(async () => {
  observed = await ObservedGate.start();
});
afterAll(() => observed.close());
afterEach(() => observed.expectAlive());

async function expectRefusedMessage(one: MessageCase, statuses: readonly number[]): Promise<void> {
  const { answer, lines, ran } = await observed.observe(() => observed.post(one.body, one.headers));
  expect({ code: answer.body?.error?.code, reason: answer.body?.error?.data?.reason }).toEqual({
    code: one.code,
    reason: one.reason,
  });
  expect(statuses).toContain(answer.status);
  expect(answer.body).toEqual({
    jsonrpc: '2.0',
    id: one.id,
    error: {
      code: one.code,
      message: expect.stringMatching(/^[^[{\n]{1,400}$/),
      data: expect.objectContaining({ reason: one.reason, decision_id: expect.any(String) }),
    },
  });
  expectNoLeak(answer);
  expect(lines).toEqual([
    expect.objectContaining({
      id: answer.body.error.data.decision_id,
      event: 'decision',
      decision: 'deny',
      reason: one.reason,
      principal: expect.objectContaining({ sub: 'alice' }),
    }),
  ]);
  expect(ran).toBe(0);
}

describe.each([
  ['bodies', BODIES],
  ['hostile keys', HOSTILE_KEYS],
  ['envelopes', ENVELOPES],
  ['names and arguments', NAMES],
  ['headers that contradict the body', CONTRADICTIONS],
])('invalid %s', (_, cases) => {
  it.each(cases.map((one) => [one.name, one.status, one] as const))(
    'rejects %s with %d',
    (_name, status, one) => expectRefusedMessage(one, [status]),
  );
});

describe('parameters that the MCP SDK validates', () => {
  // The transport responds with 200 or 400. The other checks are the same as for every rejection.
  it.each(PARAMETERS.map((one) => [one.name, one] as const))('rejects %s', (_name, one) =>
    expectRefusedMessage(one, [200, 400]),
  );
});

describe('arguments that violate the schema of the tool', () => {
  it.each(ARGUMENTS)('returns a tool error for %s', async (_name, args) => {
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":${args}}}`;
    const { answer, lines, ran } = await observed.observe(() => observed.post(body, LEGACY));
    expect(ran).toBe(0);
    expect(answer.status).toBe(200);
    expect(answer.body.result.isError).toBe(true);
    expect(answer.body.result.content[0].text).toMatch(/^Invalid arguments: .{1,4000}$/);
    expectNoLeak(answer);
    expect(lines[0]).toMatchObject({ event: 'decision', decision: 'allow' });
    expect(answer.body.result._meta.decision_id).toBe(lines[0]?.id);
    const ended = await observed.gate.waitForAuditLog((line) => line.decision_id === lines[0]?.id);
    expect(ended.at(-1)?.outcome?.status).toBe('tool_error');
  });
});

describe('unusual requests', () => {
  it.each([
    [
      '64 levels of nesting',
      ECHO_TEXT.replace('"hello"', `"hello"`).replace(
        '"id":1',
        `"id":1,"x":${'['.repeat(63)}${']'.repeat(63)}`,
      ),
      LEGACY,
      400,
    ],
    ['a byte order mark', `\ufeff${ECHO_TEXT}`, LEGACY, 200],
    [
      'a repeated key, where the last value counts,',
      ECHO_TEXT.replace('"name":"echo"', '"name":"admin_only","name":"echo"'),
      LEGACY,
      200,
    ],
    ['a string id', ECHO_TEXT.replace('"id":1', '"id":"1"'), LEGACY, 200],
    ['a negative id', ECHO_TEXT.replace('"id":1', '"id":-1'), LEGACY, 200],
    [
      'a content type in capital letters with a charset',
      ECHO_TEXT,
      { ...LEGACY, 'content-type': 'APPLICATION/JSON; charset=utf-8' },
      200,
    ],
    ['a request without a version header', ECHO_TEXT, {}, 200],
    [
      'a version repeated in one header line',
      ECHO_TEXT,
      { 'mcp-protocol-version': '2025-11-25, 2025-11-25' },
      200,
    ],
    ['Accept: */*', ECHO_TEXT, { ...LEGACY, accept: '*/*' }, 200],
    ['Accept: application/json alone', ECHO_TEXT, { ...LEGACY, accept: 'application/json' }, 200],
    [
      'Accept in capital letters with parameters',
      ECHO_TEXT,
      { ...LEGACY, accept: 'Application/JSON;charset=UTF-8 , TEXT/*;q=0.1' },
      200,
    ],
    ['null as metadata', ECHO_TEXT.replace('"arguments"', '"_meta":null,"arguments"'), LEGACY, 200],
    [
      'null as request state',
      ECHO_TEXT.replace('"arguments"', '"requestState":null,"arguments"'),
      LEGACY,
      200,
    ],
    [
      'Mcp-Name in base64 form',
      JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'echo', arguments: { text: 'hello' }, _meta: META },
      }),
      modernHeaders('tools/call', '=?base64?ZWNobw==?='),
      200,
    ],
  ] as const)('handles %s as documented', async (_name, body, headers, status) => {
    const { answer, lines, ran } = await observed.observe(() => observed.post(body, headers));
    expect(answer.status).toBe(status);
    expect(ran).toBe(status === 200 ? 1 : 0);
    if (status !== 200) return;
    expect(lines[0]).toMatchObject({ event: 'decision', decision: 'allow', tool: 'echo' });
    await observed.gate.waitForAuditLog((line) => line.decision_id === lines[0]?.id);
  });

  it.each([
    ['notifications/initialized', 'notifications/initialized', {}],
    ['notifications/cancelled of an unknown request', 'notifications/cancelled', { requestId: 'none' }],
    ['notifications/cancelled with an object as request id', 'notifications/cancelled', { requestId: {} }],
    ['an unknown notification', 'notifications/unknown', {}],
  ])('responds to %s with 202 and no body', async (_name, method, params) => {
    const { answer, lines, ran } = await observed.observe(() =>
      observed.post(JSON.stringify({ jsonrpc: '2.0', method, params }), LEGACY),
    );
    expect([answer.status, answer.text, lines.length, ran]).toEqual([202, '', 0, 0]);
  });
});

describe('random messages and principals', () => {
  const hostile = fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    'then',
    'jsonrpc',
    'id',
    'method',
    'params',
    'name',
    'arguments',
    '_meta',
    'text',
    'times',
    '',
  );
  const json = fc.letrec<{ value: fc.JsonValue; object: Record<string, fc.JsonValue> }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.jsonValue({ maxDepth: 1 }),
      tie('object'),
      fc.array(tie('value'), { maxLength: 4 }),
    ),
    object: fc.dictionary(fc.oneof(hostile, fc.string({ maxLength: 10 })), tie('value'), {
      maxKeys: 5,
    }) as fc.Arbitrary<Record<string, fc.JsonValue>>,
  }));

  it('cause neither a server error nor a tool run', async () => {
    const message = fc.record(
      {
        jsonrpc: fc.oneof({ weight: 5, arbitrary: fc.constant('2.0') }, json.value),
        id: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, json.value),
        method: fc.oneof(
          fc.constantFrom(
            'tools/call',
            'tools/list',
            'initialize',
            'ping',
            'prompts/get',
            'prompts/list',
            'resources/read',
            'resources/subscribe',
            'completion/complete',
            'logging/setLevel',
            'server/discover',
            'notifications/cancelled',
          ),
          json.value,
        ),
        params: fc.oneof(
          json.value,
          json.object,
          json.object.map((params) => ({ ...params, _meta: META })),
        ),
      },
      { requiredKeys: [] },
    );
    const started = observed.runs;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof({ weight: 4, arbitrary: message }, json.value),
        fc.boolean(),
        async (value, modern) => {
          const { method: asked } = (value ?? {}) as { method?: unknown };
          const method = typeof asked === 'string' ? asked.replace(/[^\x20-\x7e]/g, '') : 'none';
          const body = JSON.stringify(value);
          const answer = await observed.post(body, modern ? modernHeaders(method) : LEGACY);
          expect(answer.status).toBeGreaterThanOrEqual(200);
          expect(answer.status).toBeLessThan(500);
          expect(answer.text).not.toMatch(/\n\s+at |node_modules|(Type|Syntax|Range|Reference)Error/);
          expect(answer.text).not.toContain(process.cwd());
        },
      ),
      { numRuns: 300 },
    );
    expect(observed.runs).toBe(started);
  });

  it('with random arguments cause no server error and no tool run with invalid arguments', async () => {
    const args = fc.oneof(
      json.object,
      fc.record({ text: fc.oneof(json.value, fc.string()), times: json.value }, { requiredKeys: [] }),
      json.value,
    );
    await fc.assert(
      fc.asyncProperty(
        args,
        fc.constantFrom('echo', 'machine', 'ask', 'steps', 'break_promise'),
        async (value, name) => {
          const started = observed.runs;
          const answer = await observed.gate.callTool(observed.token, name, value as Record<string, unknown>);
          expect([200, 400]).toContain(answer.status);
          expectNoLeak(
            answer,
            typeof (value as { text?: unknown } | null)?.text === 'string'
              ? (value as { text: string }).text
              : '',
          );
          if (answer.status === 400 || answer.body.result?.isError) expect(observed.runs).toBe(started);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('list exactly the targets whose calls are allowed or lack only a scope', async () => {
    const tools = [
      'admin_only',
      'ask',
      'break_promise',
      'echo',
      'fail',
      'machine',
      'open',
      'picture',
      'refuse',
      'steps',
    ];
    const person = fc.record({
      scope: fc
        .subarray(['probe', 'probe.admin', 'probe.', 'PROBE', 'admin'])
        .map((scopes) => scopes.join(' ')),
      roles: fc.subarray(['admin', 'owner', 'Admin', 'probe']),
      sub: fc.constantFrom('alice', 'agent'),
    });
    await fc.assert(
      fc.asyncProperty(person, fc.boolean(), async (claims, modern) => {
        const theirs = await observed.gate.token(claims);
        const ask = (method: string, params = {}) =>
          modern
            ? observed.gate.modern(theirs, method, params)
            : observed.gate.legacy(theirs, method, params);
        const { tools: listed } = (await ask('tools/list')).body.result as { tools: { name: string }[] };
        const names = listed.map(({ name }) => name);
        for (const name of tools) {
          const { status, body } = await ask('tools/call', { name, arguments: {} });
          const isListed = status === 200 || body.error.data.reason === 'scope_missing';
          expect({ name, isListed }).toEqual({ name, isListed: names.includes(name) });
          expect([200, 403]).toContain(status);
        }
        const { prompts } = (await ask('prompts/list')).body.result as { prompts: unknown[] };
        const prompt = await ask('prompts/get', { name: 'greet', arguments: { name: 'Ada' } });
        expect(prompt.status === 200 || prompt.body.error.data.reason === 'scope_missing').toBe(
          prompts.length > 0,
        );
        const { resources } = (await ask('resources/list')).body.result as { resources: unknown[] };
        const resource = await ask('resources/read', { uri: 'docs://handbook' });
        expect(resource.status === 200 || resource.body.error.data.reason === 'scope_missing').toBe(
          resources.length > 0,
        );
      }),
      { numRuns: 25 },
    );
  });
});
