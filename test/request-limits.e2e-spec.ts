/**
 * Size and duration of requests: too large, too slow, incomplete, and pipelined by a disconnecting client.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { ECHO_TEXT, LEGACY } from './cases/bad-bodies.js';
import { Drain } from '../src/operations/shutdown/drain.js';
import { exchangeBytes, parseAnswer, rawRequest, sendRaw } from './cases/raw-http.js';
import { Gate } from './support/gate.js';
import { ProbeModule, Runs } from './support/probe.tools.js';
import { until } from './support/remote.js';
import { common, contentLength, type Header, ObservedGate } from './support/observed-gate.js';

let observed: ObservedGate;

beforeAll(async () => {
  observed = await ObservedGate.start();
});
afterAll(() => observed.close());
afterEach(() => observed.expectAlive());

describe('request size and duration', () => {
  const MIB = 1024 * 1024;
  const chunked = (size: number) => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n0\r\n\r\n`;

  it.each<[string, Header[], string]>([
    ['announced', [['Content-Length', String(MIB + 1)]], ''],
    ['announced and the body complete', [['Content-Length', String(MIB + 1)]], 'x'.repeat(MIB + 1)],
    ['announced as 100 GB', [['Content-Length', '107374182400']], 'x'],
    ['unknown (chunked)', [['Transfer-Encoding', 'chunked']], chunked(MIB + 1)],
  ])('rejects a body of 1 MiB and 1 byte with 413 when its length is %s', async (_name, headers, body) => {
    const { answer, lines, ran } = await observed.observe(() =>
      sendRaw(observed.gate.origin, {
        headers: [...common(), observed.host, observed.bearer, ...headers],
        body,
      }),
    );
    expect({ status: answer.status, reason: answer.body?.error?.data?.reason }).toEqual({
      status: 413,
      reason: 'request_malformed',
    });
    expect(answer.headers.connection).toBe('close');
    expect(lines).toEqual([expect.objectContaining({ decision: 'deny', reason: 'request_malformed' })]);
    expect(ran).toBe(0);
  });

  it('reads a body of 1 MiB', async () => {
    const body = ECHO_TEXT.replace('hello', 'x'.repeat(MIB - ECHO_TEXT.length + 'hello'.length));
    expect(Buffer.byteLength(body)).toBe(MIB);
    const { answer, ran } = await observed.observe(() => observed.post(body, LEGACY));
    expect([answer.status, answer.body.result.isError, ran]).toEqual([200, true, 0]);
  });

  it('serves a slow body and other requests at the same time', async () => {
    const started = observed.runs;
    const bytes = rawRequest({
      headers: [
        ...common(),
        observed.host,
        observed.bearer,
        contentLength(ECHO_TEXT),
        ['Connection', 'close'],
      ],
      body: ECHO_TEXT,
    });
    const socket = connect(Number(observed.port), '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    const closed = new Promise((resolve) => socket.on('close', resolve));
    const step = Math.ceil(bytes.length / 10);
    for (let at = 0; at < bytes.length; at += step) {
      socket.write(bytes.subarray(at, at + step));
      expect((await observed.gate.modern(observed.token, 'tools/list')).status).toBe(200);
    }
    await closed;
    expect(parseAnswer(Buffer.concat(chunks).toString()).status).toBe(200);
    expect(observed.runs).toBe(started + 1);
  });

  it('records an incomplete body once and runs no tool', async () => {
    const { lines, ran } = await observed.observe(async () => {
      await exchangeBytes(
        observed.gate.origin,
        rawRequest({
          headers: [...common(), observed.host, observed.bearer, ['Content-Length', '5000']],
          body: ECHO_TEXT,
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
    });
    expect(lines).toEqual([expect.objectContaining({ decision: 'deny', reason: 'request_malformed' })]);
    expect(ran).toBe(0);
  });
});

describe('unfinished request', () => {
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
    ['stops within its header section', false, '', [408, -32600, 'request_malformed']],
    ['stops within its body', true, `\r\n\r\n${body}`, [408, -32600, 'request_malformed']],
    ['stops before its body', true, '\r\n\r\n', [408, -32600, 'request_malformed']],
    ['stops within its body and has no token', false, `\r\n\r\n${body}`, [401, 401, 'token_malformed']],
  ])('is answered, closed and recorded once when it %s', async (_where, isKnown, rest, expected) => {
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

  it('is closed without a record when the response preceded its body', async () => {
    const before = hurried.auditLog().length;
    const text = `${head('GET /.well-known/oauth-protected-resource/mcp HTTP/1.1', 'x')}\r\n\r\n{`;
    const started = performance.now();
    expect(parseAnswer(await exchangeBytes(hurried.origin, Buffer.from(text), 3_000)).status).toBe(200);
    expect(performance.now() - started).toBeLessThan(2_500);
    expect(hurried.auditLog()).toHaveLength(before);
  });
});

it('rejects a body with an invalid chunk and records it once', async () => {
  const before = observed.gate.auditLog().length;
  const head = rawRequest({
    headers: [
      ['host', new URL(observed.gate.url).host],
      ['content-type', 'application/json'],
      ['accept', 'application/json, text/event-stream'],
      ['authorization', `Bearer ${observed.token}`],
      ['transfer-encoding', 'chunked'],
    ],
    body: '5\r\n{"jso\r\nno chunk\r\n',
  });
  const { status, headers, body } = parseAnswer(await exchangeBytes(observed.gate.origin, head, 2_000));
  expect([status, headers.connection, body.error]).toMatchObject([
    400,
    'close',
    { code: -32600, data: { reason: 'request_malformed' } },
  ]);
  await observed.gate.waitForAuditLog(({ id }) => id === body.error.data.decision_id);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(observed.gate.auditLog().slice(before)).toMatchObject([{ id: body.error.data.decision_id }]);
});

describe('client that pipelines calls and disconnects', () => {
  it.each([
    ['the fast path', {}],
    ['the Nest pipeline', { _meta: { progressToken: 1 } }],
  ])('has all of its calls cancelled on %s', async (way, more) => {
    const { aborted, names } = observed.gate.app.nest.get(Runs);
    const [before, started, sub] = [aborted.length, names.length, `leaves ${way}`];
    const theirs = await observed.gate.token({ sub, scope: 'probe' });
    const message = (id: number) =>
      JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'wait', ...more } });
    const bytes = (id: number) =>
      rawRequest({
        headers: [
          ['host', new URL(observed.gate.url).host],
          ['content-type', 'application/json'],
          ['accept', 'application/json, text/event-stream'],
          ['authorization', `Bearer ${theirs}`],
          ['content-length', String(message(id).length)],
        ],
        body: message(id),
      });
    const { hostname, port } = new URL(observed.gate.url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.write(Buffer.concat(Array.from({ length: 15 }, (_, id) => bytes(id))));
    const linesOf = (event: string) =>
      observed.gate.auditLog().filter((line) => line.on_behalf_of === sub && line.event === event);
    await until(async () => linesOf('decision').length === 15);
    // A decision is readable before its fsync returns; the tool starts after the fsync.
    await until(async () => names.length === started + 15);
    expect(observed.gate.app.nest.get(Drain).inFlight).toBe(15);
    socket.destroy();
    await until(async () => linesOf('outcome').length === 15);
    expect(new Set(linesOf('outcome').map(({ outcome }) => outcome?.status))).toEqual(new Set(['cancelled']));
    expect(aborted.length).toBe(before + 15);
    expect(observed.gate.app.nest.get(Drain).inFlight).toBe(0);
  });
});
