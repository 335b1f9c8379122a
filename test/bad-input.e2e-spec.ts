/** Whatever arrives instead of a proper request: refused by the table, on record once, nothing run, nothing told. */
import fc from 'fast-check';
import { once } from 'node:events';
import { connect } from 'node:net';
import {
  ARGUMENTS,
  BODIES,
  CONTRADICTIONS,
  ECHO_TEXT,
  ENVELOPES,
  HOSTILE_KEYS,
  LEGACY,
  META,
  modernHeaders,
  NAMES,
  PARAMETERS,
  type MessageCase,
} from './cases/bad-bodies.js';
import { Drain } from '../src/operations/shutdown/drain.js';
import { exchangeBytes, parseAnswer, rawRequest, sendRaw, type RawAnswer } from './cases/raw-http.js';
import { answerOf, Gate, type Answer, type AuditLogLine } from './support/gate.js';
import { ProbeModule, Runs } from './support/probe.tools.js';
import { until } from './support/remote.js';

let gate: Gate;
let token: string;

beforeAll(async () => {
  gate = await Gate.start({ imports: [ProbeModule], env: { RATE_LIMIT_PER_MINUTE: '0' } });
  token = await gate.token({ scope: 'probe', exp: Math.floor(Date.now() / 1000) + 3000 });
});
afterAll(() => gate.close());

/** After every attack, and for the price of one record. */
afterEach(async () => {
  const answer = await gate.modern(token, 'tools/list');
  expect(answer.status).toBe(200);
});

const runs = () => gate.app.nest.get(Runs).names.length;

/** Traces of our own files, of libraries and of the runtime. */
const LEAK =
  /\n\s+at |node_modules|file:\/\/|[/\\](src|dist|home|root|usr|work)[/\\]|\.[jt]s:\d|@nestjs|express|\bzod\b|class-(validator|transformer)|raw-body|\bjose\b|(Type|Syntax|Range|Reference|URI)Error|"?(code|expected)\\?"?: \\?"?(invalid_|string)|\[object/;

/** @param told what the caller sent itself, and may be told again. */
function expectNoLeak(answer: { text: string }, told = ''): void {
  const text = told === '' ? answer.text : answer.text.replaceAll(told, '');
  expect(text).not.toMatch(LEAK);
  expect(text).not.toContain(process.cwd());
}

async function post(body: string | Uint8Array, headers: Readonly<Record<string, string>>): Promise<Answer> {
  return answerOf(
    await fetch(gate.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        authorization: `Bearer ${token}`,
        ...headers,
      },
      body: body as string,
    }),
  );
}

/** What one request left behind. */
async function observe<T>(
  send: () => Promise<T>,
): Promise<{ answer: T; lines: AuditLogLine[]; ran: number }> {
  const [before, ranBefore] = [(await gate.settledAuditLog()).length, runs()];
  const answer = await send();
  return { answer, lines: gate.auditLog().slice(before), ran: runs() - ranBefore };
}

async function expectRefusedMessage(one: MessageCase, statuses: readonly number[]): Promise<void> {
  const { answer, lines, ran } = await observe(() => post(one.body, one.headers));
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
  ['headers against the body', CONTRADICTIONS],
])('%s', (_, cases) => {
  it.each(cases.map((one) => [one.name, one.status, one] as const))('%s: %d', (_name, status, one) =>
    expectRefusedMessage(one, [status]),
  );
});

describe('parameters that the protocol library would judge', () => {
  // The transport has them answered with 200 or with 400; the rest is as for every other refusal.
  it.each(PARAMETERS.map((one) => [one.name, one] as const))('%s', (_name, one) =>
    expectRefusedMessage(one, [200, 400]),
  );
});

describe('arguments that do not fit the schema: a result that says so', () => {
  it.each(ARGUMENTS)('%s', async (_name, args) => {
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":${args}}}`;
    const { answer, lines, ran } = await observe(() => post(body, LEGACY));
    expect(ran).toBe(0);
    expect(answer.status).toBe(200);
    expect(answer.body.result.isError).toBe(true);
    expect(answer.body.result.content[0].text).toMatch(/^Invalid arguments: .{1,4000}$/);
    expectNoLeak(answer);
    expect(lines[0]).toMatchObject({ event: 'decision', decision: 'allow' });
    expect(answer.body.result._meta.decision_id).toBe(lines[0]?.id);
    const ended = await gate.waitForAuditLog((line) => line.decision_id === lines[0]?.id);
    expect(ended.at(-1)?.outcome?.status).toBe('tool_error');
  });
});

describe('what looks wrong and is right', () => {
  it.each([
    [
      '64 levels',
      ECHO_TEXT.replace('"hello"', `"hello"`).replace(
        '"id":1',
        `"id":1,"x":${'['.repeat(63)}${']'.repeat(63)}`,
      ),
      LEGACY,
      400,
    ],
    ['a byte order mark', `\ufeff${ECHO_TEXT}`, LEGACY, 200],
    [
      'a key twice: the last one is called, and is the one on record',
      ECHO_TEXT.replace('"name":"echo"', '"name":"admin_only","name":"echo"'),
      LEGACY,
      200,
    ],
    ['id a text', ECHO_TEXT.replace('"id":1', '"id":"1"'), LEGACY, 200],
    ['id negative', ECHO_TEXT.replace('"id":1', '"id":-1'), LEGACY, 200],
    [
      'type in capitals, with a charset',
      ECHO_TEXT,
      { ...LEGACY, 'content-type': 'APPLICATION/JSON; charset=utf-8' },
      200,
    ],
    ['no version header', ECHO_TEXT, {}, 200],
    ['a version repeated in one line', ECHO_TEXT, { 'mcp-protocol-version': '2025-11-25, 2025-11-25' }, 200],
    ['Accept: */*', ECHO_TEXT, { ...LEGACY, accept: '*/*' }, 200],
    ['Accept: application/json alone', ECHO_TEXT, { ...LEGACY, accept: 'application/json' }, 200],
    [
      'Accept in capitals, with parameters',
      ECHO_TEXT,
      { ...LEGACY, accept: 'Application/JSON;charset=UTF-8 , TEXT/*;q=0.1' },
      200,
    ],
    ['metadata that is null', ECHO_TEXT.replace('"arguments"', '"_meta":null,"arguments"'), LEGACY, 200],
    ['state that is null', ECHO_TEXT.replace('"arguments"', '"requestState":null,"arguments"'), LEGACY, 200],
    [
      'Mcp-Name in its base64 form',
      JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'echo', arguments: { text: 'hello' }, _meta: META },
      }),
      modernHeaders('tools/call', '=?base64?ZWNobw==?='),
      200,
    ],
  ] as const)('%s', async (_name, body, headers, status) => {
    const { answer, lines, ran } = await observe(() => post(body, headers));
    expect(answer.status).toBe(status);
    expect(ran).toBe(status === 200 ? 1 : 0);
    if (status !== 200) return;
    expect(lines[0]).toMatchObject({ event: 'decision', decision: 'allow', tool: 'echo' });
    await gate.waitForAuditLog((line) => line.decision_id === lines[0]?.id);
  });

  it.each([
    ['initialized', 'notifications/initialized', {}],
    ['cancelled, of nothing', 'notifications/cancelled', { requestId: 'none' }],
    ['cancelled, of an object', 'notifications/cancelled', { requestId: {} }],
    ['unknown', 'notifications/unknown', {}],
  ])('notification %s: 202', async (_name, method, params) => {
    const { answer, lines, ran } = await observe(() =>
      post(JSON.stringify({ jsonrpc: '2.0', method, params }), LEGACY),
    );
    expect([answer.status, answer.text, lines.length, ran]).toEqual([202, '', 0, 0]);
  });
});

type Header = readonly [string, string];

const host = (): Header => ['Host', new URL(gate.origin).host];
const port = () => new URL(gate.origin).port;
const bearer = (): Header => ['Authorization', `Bearer ${token}`];
const common = (): Header[] => [
  ['Content-Type', 'application/json'],
  ['Accept', 'application/json, text/event-stream'],
  ['MCP-Protocol-Version', '2025-11-25'],
];
const length = (body: string): Header => ['Content-Length', String(Buffer.byteLength(body))];

async function expectOriginRejected(send: () => Promise<RawAnswer>): Promise<void> {
  const { answer, lines, ran } = await observe(send);
  expect({
    status: answer.status,
    code: answer.body?.error?.code,
    reason: answer.body?.error?.data?.reason,
  }).toEqual({
    status: 403,
    code: 403,
    reason: 'origin_rejected',
  });
  expect(answer.headers['www-authenticate']).toBeUndefined();
  expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  expect(lines).toEqual([
    expect.objectContaining({
      event: 'authentication',
      decision: 'deny',
      reason: 'origin_rejected',
      principal: null,
    }),
  ]);
  expect(ran).toBe(0);
  expectNoLeak(answer);
}

async function expectServed(send: () => Promise<RawAnswer>): Promise<RawAnswer> {
  const { answer, lines, ran } = await observe(send);
  expect([answer.status, ran]).toEqual([200, 1]);
  await gate.waitForAuditLog((line) => line.decision_id === lines[0]?.id);
  return answer;
}

const echoOver = (headers: Header[], line?: string) =>
  sendRaw(gate.origin, {
    ...(line !== undefined && { line }),
    headers: [...common(), bearer(), length(ECHO_TEXT), ...headers],
    body: ECHO_TEXT,
  });

describe('Host', () => {
  it.each<[string, () => Header[]]>([
    ['evil.com', () => [['Host', 'evil.com']]],
    ['ours in front of another', () => [['Host', `127.0.0.1.evil.com:${port()}`]]],
    ['userinfo', () => [['Host', `user@127.0.0.1:${port()}`]]],
    ['ours as userinfo', () => [['Host', `127.0.0.1:${port()}@evil.com`]]],
    ['empty', () => [['Host', '']]],
    ['with a path', () => [['Host', `127.0.0.1:${port()}/x`]]],
    ['with a query', () => [['Host', `127.0.0.1:${port()}?x`]]],
    ['two names', () => [['Host', '127.0.0.1 evil.com']]],
    ['a port that is none', () => [['Host', '127.0.0.1:99999']]],
    ['a port of letters', () => [['Host', '127.0.0.1:abc']]],
    ['two trailing dots', () => [['Host', 'localhost..']]],
    ['0.0.0.0', () => [['Host', '0.0.0.0']]],
    ['mapped IPv6', () => [['Host', '[::ffff:127.0.0.1]']]],
    ['IPv6 without brackets', () => [['Host', '::1']]],
    [
      'evil, behind a forwarded name of ours',
      () => [
        ['Host', 'evil.com'],
        ['X-Forwarded-Host', '127.0.0.1'],
        ['Forwarded', 'host=127.0.0.1'],
      ],
    ],
    ['two, evil first', () => [['Host', 'evil.com'], host()]],
  ])('%s: 403', (_name, headers) => expectOriginRejected(() => echoOver(headers())));

  it('HTTP/1.0 without a Host: 403', () => expectOriginRejected(() => echoOver([], 'POST /mcp HTTP/1.0')));

  it('HTTP/1.1 without a Host: 400', async () => {
    const { answer, ran } = await observe(() => echoOver([]));
    expect([answer.status, ran]).toEqual([400, 0]);
  });

  it('two, evil second: refused (RFC 9112 section 3.2)', async () => {
    const { answer, ran } = await observe(() => echoOver([host(), ['Host', 'evil.com']]));
    expect([400, 403]).toContain(answer.status);
    expect(ran).toBe(0);
  });

  it.each<[string, () => string]>([
    ['IPv6', () => `[::1]:${port()}`],
    ['localhost on another port, as behind a tunnel', () => 'localhost:1'],
    ['capitals', () => `LOCALHOST:${port()}`],
    ['a trailing dot', () => `localhost.:${port()}`],
  ])('%s is ours: 200', (_name, name) => expectServed(() => echoOver([['Host', name()]])));
});

describe('Origin', () => {
  it.each<[string, () => Header[]]>([
    ['null', () => [['Origin', 'null']]],
    ['evil.com', () => [['Origin', 'http://evil.com']]],
    ['another port', () => [['Origin', 'http://127.0.0.1:1']]],
    ['no port', () => [['Origin', 'http://127.0.0.1']]],
    ['another scheme', () => [['Origin', `https://127.0.0.1:${port()}`]]],
    ['trailing slash', () => [['Origin', `http://127.0.0.1:${port()}/`]]],
    ['ours in front of another', () => [['Origin', `http://127.0.0.1:${port()}.evil.com`]]],
    ['userinfo', () => [['Origin', `http://x@127.0.0.1:${port()}`]]],
    ['empty', () => [['Origin', '']]],
    ['two in one', () => [['Origin', `http://127.0.0.1:${port()}, http://evil.com`]]],
    [
      'two headers',
      () => [
        ['Origin', `http://127.0.0.1:${port()}`],
        ['Origin', 'http://evil.com'],
      ],
    ],
  ])('%s: 403', (_name, headers) => expectOriginRejected(() => echoOver([host(), ...headers()])));

  it.each<[string, () => string]>([
    ['ours', () => `http://127.0.0.1:${port()}`],
    ['ours by another name', () => `http://localhost:${port()}`],
    ['ours in capitals', () => `HTTP://LOCALHOST:${port()}`],
  ])('%s: 200, and only it may read the answer', async (_name, origin) => {
    const answer = await expectServed(() => echoOver([host(), ['Origin', origin()]]));
    expect(answer.headers['access-control-allow-origin']).toBe(origin());
    expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
  });
});

describe('methods other than POST', () => {
  it.each(['GET', 'DELETE', 'PUT', 'PATCH', 'TRACE', 'PROPFIND', 'QUERY', 'SEARCH'])(
    '%s: 405',
    async (method) => {
      const { answer, ran } = await observe(() => echoOver([host()], `${method} /mcp HTTP/1.1`));
      expect([answer.status, answer.headers.allow, ran]).toEqual([405, 'POST', 0]);
      expectNoLeak(answer);
    },
  );

  it('HEAD: 405', async () => {
    const { answer, ran } = await observe(() =>
      sendRaw(gate.origin, { line: 'HEAD /mcp HTTP/1.1', headers: [host(), bearer()] }),
    );
    expect([answer.status, ran]).toEqual([405, 0]);
  });

  it('OPTIONS runs nothing', async () => {
    const { answer, ran } = await observe(() => echoOver([host()], 'OPTIONS /mcp HTTP/1.1'));
    expect([answer.status, ran]).toEqual([204, 0]);
  });

  it('a method may not be overridden', async () => {
    const { answer, ran } = await observe(() =>
      echoOver([host(), ['X-HTTP-Method-Override', 'POST']], 'GET /mcp HTTP/1.1'),
    );
    expect([answer.status, ran]).toEqual([405, 0]);
  });

  it.each(['GET', 'OPTIONS'])('%s from a foreign origin: 403', (method) =>
    expectOriginRejected(() => echoOver([host(), ['Origin', 'http://evil.com']], `${method} /mcp HTTP/1.1`)),
  );
});

describe('other spellings of the path never pass the guards', () => {
  const paths = [
    '/mcp/',
    '/MCP',
    '/Mcp/',
    '/mcp//',
    '//mcp',
    '/mcp%2f',
    '/mcp%2F',
    '/%6dcp',
    '/mcp/x',
    '/mcp/.',
    '/mcp/../mcp',
    '/./mcp',
    '/mcp;x=1',
    '/mcp%00',
    '/mcp%20',
    '/mcp.',
    '/mcp\\',
    '/health/../mcp',
    '/.well-known/../mcp',
    '/mcp%',
    '/%',
    '/.well-known/oauth-protected-resource/%',
    '*',
  ];

  it.each(paths)('%s without a token: 401 or 404', async (path) => {
    const { answer, ran } = await observe(() =>
      sendRaw(gate.origin, {
        line: `POST ${path} HTTP/1.1`,
        headers: [...common(), host(), length(ECHO_TEXT)],
        body: ECHO_TEXT,
      }),
    );
    expect([400, 401, 404]).toContain(answer.status);
    expect(ran).toBe(0);
    expectNoLeak(answer);
  });

  it.each(['http://evil.com/mcp', 'http://evil.com:80/mcp', 'https://127.0.0.1/mcp'])(
    'target %s: refused',
    async (target) => {
      const { answer, ran } = await observe(() => echoOver([host()], `POST ${target} HTTP/1.1`));
      expect([400, 403, 404]).toContain(answer.status);
      expect(ran).toBe(0);
    },
  );
});

describe('request smuggling: the second request is never seen', () => {
  const inner = () =>
    rawRequest({ headers: [host(), ...common(), bearer(), length(ECHO_TEXT)], body: ECHO_TEXT });

  it.each<[string, Header[], (hidden: string) => string]>([
    [
      'Content-Length and Transfer-Encoding',
      [
        ['Content-Length', '4'],
        ['Transfer-Encoding', 'chunked'],
      ],
      (hidden) => `0\r\n\r\n${hidden}`,
    ],
    [
      'Transfer-Encoding and Content-Length',
      [
        ['Transfer-Encoding', 'chunked'],
        ['Content-Length', '4'],
      ],
      (hidden) => `0\r\n\r\n${hidden}`,
    ],
    [
      'two lengths',
      [
        ['Content-Length', '0'],
        ['Content-Length', '2'],
      ],
      (hidden) => hidden,
    ],
    ['xchunked', [['Transfer-Encoding', 'xchunked']], (hidden) => `0\r\n\r\n${hidden}`],
    ['identity', [['Transfer-Encoding', 'identity']], (hidden) => `0\r\n\r\n${hidden}`],
    ['chunked, identity', [['Transfer-Encoding', 'chunked, identity']], (hidden) => `0\r\n\r\n${hidden}`],
    [
      'chunked twice',
      [
        ['Transfer-Encoding', 'chunked'],
        ['Transfer-Encoding', 'chunked'],
      ],
      (hidden) => `0\r\n\r\n${hidden}`,
    ],
    ['length negative', [['Content-Length', '-1']], (hidden) => hidden],
    ['length with a plus', [['Content-Length', '+0']], (hidden) => hidden],
    ['length in hexadecimal', [['Content-Length', '0x0']], (hidden) => hidden],
    ['length beyond numbers', [['Content-Length', '99999999999999999999']], (hidden) => hidden],
    ['space before the colon', [['Content-Length ', '0']], (hidden) => hidden],
    [
      'folded header',
      [
        ['X-Folded', 'a\r\n b'],
        ['Content-Length', '0'],
      ],
      (hidden) => hidden,
    ],
    [
      'a chunk without a size',
      [['Transfer-Encoding', 'chunked']],
      (hidden) => `zz\r\nhello\r\n0\r\n\r\n${hidden}`,
    ],
    ['line feeds alone', [['Transfer-Encoding', 'chunked']], (hidden) => `0\n\n${hidden}`],
  ])('%s: 400, and the connection ends', async (_name, headers, around) => {
    const { answer, ran } = await observe(async () =>
      exchangeBytes(
        gate.origin,
        rawRequest({
          headers: [host(), ...common(), bearer(), ...headers],
          body: around(inner().toString('latin1')),
        }),
      ),
    );
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400']);
    expect(ran).toBe(0);
  });

  it('two requests one after the other are two requests', async () => {
    const before = runs();
    const answers = await exchangeBytes(gate.origin, Buffer.concat([inner(), inner()]));
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
    expect(runs()).toBe(before + 2);
  });

  it.each<[string, number, () => Buffer]>([
    [
      'headers of 20 KB',
      431,
      () => rawRequest({ headers: [host(), bearer(), ['X-Long', 'x'.repeat(20_000)]], body: ECHO_TEXT }),
    ],
    ['no HTTP at all', 400, () => Buffer.from('\x16\x03\x01 hello\r\n\r\n')],
    ['a header that is none', 400, () => Buffer.from('POST /mcp HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n')],
  ])('%s: %d, on record', async (_name, status, bytes) => {
    const { answer, lines, ran } = await observe(() => exchangeBytes(gate.origin, bytes()));
    const parsed = parseAnswer(answer);
    expect([parsed.status, parsed.headers.connection, ran]).toEqual([status, 'close', 0]);
    expect(lines).toEqual([
      expect.objectContaining({
        id: parsed.body.error.data.decision_id,
        event: 'authentication',
        decision: 'deny',
        reason: 'request_malformed',
        principal: null,
        request: expect.objectContaining({ ip: '127.0.0.1', method: null }),
      }),
    ]);
  });

  it('who hangs up in the middle has asked for nothing', async () => {
    const socket = connect(Number(port()), '127.0.0.1');
    const { lines } = await observe(async () => {
      socket.end('POST /mcp HTTP/1.1\r\nHost: x');
      await once(socket.resume(), 'close');
    });
    expect(lines).toEqual([]);
  });
});

describe('size and pace', () => {
  const MIB = 1024 * 1024;
  const chunked = (size: number) => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n0\r\n\r\n`;

  it.each<[string, Header[], string]>([
    ['announced', [['Content-Length', String(MIB + 1)]], ''],
    ['announced and sent', [['Content-Length', String(MIB + 1)]], 'x'.repeat(MIB + 1)],
    ['announced as 100 GB', [['Content-Length', '107374182400']], 'x'],
    ['chunked', [['Transfer-Encoding', 'chunked']], chunked(MIB + 1)],
  ])('1 MiB and 1 byte, %s: 413', async (_name, headers, body) => {
    const { answer, lines, ran } = await observe(() =>
      sendRaw(gate.origin, { headers: [...common(), host(), bearer(), ...headers], body }),
    );
    expect({ status: answer.status, reason: answer.body?.error?.data?.reason }).toEqual({
      status: 413,
      reason: 'request_malformed',
    });
    expect(answer.headers.connection).toBe('close');
    expect(lines).toEqual([expect.objectContaining({ decision: 'deny', reason: 'request_malformed' })]);
    expect(ran).toBe(0);
  });

  it('1 MiB is read', async () => {
    const body = ECHO_TEXT.replace('hello', 'x'.repeat(MIB - ECHO_TEXT.length + 'hello'.length));
    expect(Buffer.byteLength(body)).toBe(MIB);
    const { answer, ran } = await observe(() => post(body, LEGACY));
    expect([answer.status, answer.body.result.isError, ran]).toEqual([200, true, 0]);
  });

  it('a body in small steps is served, and nobody waits for it', async () => {
    const started = runs();
    const bytes = rawRequest({
      headers: [...common(), host(), bearer(), length(ECHO_TEXT), ['Connection', 'close']],
      body: ECHO_TEXT,
    });
    const socket = connect(Number(port()), '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    const closed = new Promise((resolve) => socket.on('close', resolve));
    const step = Math.ceil(bytes.length / 10);
    for (let at = 0; at < bytes.length; at += step) {
      socket.write(bytes.subarray(at, at + step));
      expect((await gate.modern(token, 'tools/list')).status).toBe(200);
    }
    await closed;
    expect(parseAnswer(Buffer.concat(chunks).toString()).status).toBe(200);
    expect(runs()).toBe(started + 1);
  });

  it('a body that never ends runs nothing, and is on record once', async () => {
    const { lines, ran } = await observe(async () => {
      await exchangeBytes(
        gate.origin,
        rawRequest({ headers: [...common(), host(), bearer(), ['Content-Length', '5000']], body: ECHO_TEXT }),
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
    });
    expect(lines).toEqual([expect.objectContaining({ decision: 'deny', reason: 'request_malformed' })]);
    expect(ran).toBe(0);
  });
});

describe('properties', () => {
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

  it('no body makes the server fail', async () => {
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
    const started = runs();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof({ weight: 4, arbitrary: message }, json.value),
        fc.boolean(),
        async (value, modern) => {
          const { method: asked } = (value ?? {}) as { method?: unknown };
          const method = typeof asked === 'string' ? asked.replace(/[^\x20-\x7e]/g, '') : 'none';
          const body = JSON.stringify(value);
          const answer = await post(body, modern ? modernHeaders(method) : LEGACY);
          expect(answer.status).toBeGreaterThanOrEqual(200);
          expect(answer.status).toBeLessThan(500);
          expect(answer.text).not.toMatch(/\n\s+at |node_modules|(Type|Syntax|Range|Reference)Error/);
          expect(answer.text).not.toContain(process.cwd());
        },
      ),
      { numRuns: 300 },
    );
    expect(runs()).toBe(started);
  });

  it('no arguments make the server fail, and none that do not fit reach the tool', async () => {
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
          const started = runs();
          const answer = await gate.callTool(token, name, value as Record<string, unknown>);
          expect([200, 400]).toContain(answer.status);
          expectNoLeak(
            answer,
            typeof (value as { text?: unknown } | null)?.text === 'string'
              ? (value as { text: string }).text
              : '',
          );
          if (answer.status === 400 || answer.body.result?.isError) expect(runs()).toBe(started);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('what is listed may be called, and what is not listed may not', async () => {
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
        const theirs = await gate.token(claims);
        const ask = (method: string, params = {}) =>
          modern ? gate.modern(theirs, method, params) : gate.legacy(theirs, method, params);
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

describe('a request that never ends', () => {
  let hurried: Gate;
  beforeAll(async () => {
    hurried = await Gate.start({
      imports: [ProbeModule],
      database: false,
      beforeListening: ({ nest }) =>
        Object.assign(nest.getHttpServer() as object, {
          headersTimeout: 300,
          requestTimeout: 300,
          connectionsCheckingInterval: 50,
        }),
    });
  });
  afterAll(() => hurried.close());

  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
  const head = (line: string, theirs: string) =>
    [
      line,
      `host: ${new URL(hurried.url).host}`,
      'content-type: application/json',
      'accept: application/json, text/event-stream',
      `authorization: Bearer ${theirs}`,
      `content-length: ${body.length + 100}`,
    ].join('\r\n');

  it.each([
    ['in its head', false, '', [408, -32600, 'request_malformed']],
    ['in its body', true, `\r\n\r\n${body}`, [408, -32600, 'request_malformed']],
    ['before its body', true, '\r\n\r\n', [408, -32600, 'request_malformed']],
    ['in its body, and has no token', false, `\r\n\r\n${body}`, [401, 401, 'token_malformed']],
  ])('%s is answered, cut off, and on record once', async (_where, isKnown, rest, expected) => {
    const theirs = isKnown ? await hurried.token({ sub: 'slow' }) : 'nonsense';
    const [before, started] = [hurried.auditLog().length, performance.now()];
    const bytes = Buffer.from(head('POST /mcp HTTP/1.1', theirs) + rest);
    const { status, headers, body: told } = parseAnswer(await exchangeBytes(hurried.origin, bytes, 3_000));
    expect(performance.now() - started).toBeLessThan(2_500);
    expect([status, told.error.code, told.error.data.reason]).toEqual(expected);
    await hurried.waitForAuditLog(({ id }) => id === told.error.data.decision_id);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(hurried.auditLog().slice(before)).toMatchObject([
      { id: told.error.data.decision_id, decision: 'deny', reason: expected[2] },
    ]);
    expect(hurried.auditLog().at(-1)?.request.id).toBe(headers['x-request-id']);
  });

  it('and was answered already is cut off, and on record no more', async () => {
    const before = hurried.auditLog().length;
    const text = `${head('GET /.well-known/oauth-protected-resource/mcp HTTP/1.1', 'x')}\r\n\r\n{`;
    const started = performance.now();
    expect(parseAnswer(await exchangeBytes(hurried.origin, Buffer.from(text), 3_000)).status).toBe(200);
    expect(performance.now() - started).toBeLessThan(2_500);
    expect(hurried.auditLog()).toHaveLength(before);
  });
});

it('a body whose chunks are none is refused, and on record once', async () => {
  const before = gate.auditLog().length;
  const head = rawRequest({
    headers: [
      ['host', new URL(gate.url).host],
      ['content-type', 'application/json'],
      ['accept', 'application/json, text/event-stream'],
      ['authorization', `Bearer ${token}`],
      ['transfer-encoding', 'chunked'],
    ],
    body: '5\r\n{"jso\r\nno chunk\r\n',
  });
  const { status, headers, body } = parseAnswer(await exchangeBytes(gate.origin, head, 2_000));
  expect([status, headers.connection, body.error]).toMatchObject([
    400,
    'close',
    { code: -32600, data: { reason: 'request_malformed' } },
  ]);
  await gate.waitForAuditLog(({ id }) => id === body.error.data.decision_id);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(gate.auditLog().slice(before)).toMatchObject([{ id: body.error.data.decision_id }]);
});

describe('who asks more than one thing at once, and goes away', () => {
  it.each([
    ['the fast path', {}],
    ['the ordinary way', { _meta: { progressToken: 1 } }],
  ])('leaves nothing behind on %s', async (way, more) => {
    const { aborted } = gate.app.nest.get(Runs);
    const [before, sub] = [aborted.length, `leaves ${way}`];
    const theirs = await gate.token({ sub, scope: 'probe' });
    const message = (id: number) =>
      JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'wait', ...more } });
    const bytes = (id: number) =>
      rawRequest({
        headers: [
          ['host', new URL(gate.url).host],
          ['content-type', 'application/json'],
          ['accept', 'application/json, text/event-stream'],
          ['authorization', `Bearer ${theirs}`],
          ['content-length', String(message(id).length)],
        ],
        body: message(id),
      });
    const { hostname, port } = new URL(gate.url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.write(Buffer.concat(Array.from({ length: 15 }, (_, id) => bytes(id))));
    const linesOf = (event: string) =>
      gate.auditLog().filter((line) => line.on_behalf_of === sub && line.event === event);
    await until(async () => linesOf('decision').length === 15);
    await until(async () => gate.app.nest.get(Drain).inFlight === 15);
    socket.destroy();
    await until(async () => linesOf('outcome').length === 15);
    expect(new Set(linesOf('outcome').map(({ outcome }) => outcome?.status))).toEqual(new Set(['cancelled']));
    expect(aborted.length).toBe(before + 15);
    expect(gate.app.nest.get(Drain).inFlight).toBe(0);
  });
});
