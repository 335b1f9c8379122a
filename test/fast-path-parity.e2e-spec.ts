/**
 * Compares the fast path with the Nest pipeline (Express, Nest and the SDK). Two gateways receive the same requests;
 * one has `MCP_FAST_PATH=off`. Responses, headers, records and tool runs must be equal.
 */
import { Injectable, Module } from '@nestjs/common';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { IsString } from 'class-validator';
import { AnyPrincipal } from '../src/policy/decorators.js';
import { Tool } from '../src/tools/decorators.js';
import { NoInput } from '../src/tools/no-input.js';
import { ToolResult } from '../src/tools/results.js';
import type { ToolCall } from '../src/tools/tool-call.js';
import { Gate, MODERN, type AuditLogLine } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';
import { ProbeModule, Promise1, Runs } from './support/probe.tools.js';

class StrangeInput {
  @IsString()
  kind: string;
}

/** `told` is the value of a log notification. */
interface Strange {
  readonly object?: unknown;
  readonly content?: unknown;
  readonly told?: unknown;
}

function cycle(): object {
  const round: Record<string, unknown> = {};
  round.round = round;
  return round;
}

const STRANGE: Readonly<Record<string, () => Strange>> = {
  bigint: () => ({ object: { a: 1n } }),
  cycle: () => ({ object: cycle() }),
  'written as nothing': () => ({ object: { toJSON: () => undefined } }),
  'written as a text': () => ({ object: { toJSON: () => 'text' } }),
  date: () => ({ object: new Date(0) }),
  map: () => ({ object: new Map([[1, 2]]) }),
  text: () => ({ object: 'text' }),
  members: () => ({ object: { a: undefined, f() {}, n: NaN, d: new Date(0) } }),
  'a hostile key': () => ({ object: JSON.parse('{"__proto__":{"a":1},"constructor":2}') as unknown }),
  'a hostile text': () => ({ content: [{ type: 'text', text: '"__proto__"' }] }),
  'a hole': () => ({ content: [{ type: 'text', text: 'a' }, , { type: 'text', text: 'b' }] }), // oxlint-disable-line no-sparse-arrays
  'a number for a text': () => ({ content: [{ type: 'text', text: 5 }] }),
  'no list': () => ({ content: { type: 'text', text: 'x' } }),
  'no base64': () => ({ content: [{ type: 'image', data: '###', mimeType: 'image/png' }] }),
  'wrong meta': () => ({ content: [{ type: 'text', text: 'x', _meta: 5 }] }),
  'tells a bigint': () => ({ told: 1n }),
  'tells a cycle': () => ({ told: cycle() }),
};

@Injectable()
class ChattyTools {
  @Tool({ name: 'chatter', description: 'Logs before it returns' })
  @AnyPrincipal()
  async chatter(_: NoInput, call: ToolCall): Promise<string> {
    await call.log('info', { step: 1, text: 'ä "quoted"' });
    await call.log('warning', 'second');
    return 'said';
  }

  @Tool({ name: 'chatter_picture', description: 'Logs before it returns a picture' })
  @AnyPrincipal()
  async chatterPicture(_: NoInput, call: ToolCall): Promise<ToolResult> {
    await call.log('info', 'first');
    return new ToolResult([{ type: 'image', data: 'aGk=', mimeType: 'image/png' }]);
  }

  @Tool({ name: 'keep_promise', description: 'Returns the declared output', output: Promise1 })
  @AnyPrincipal()
  keepPromise(): object {
    return { promised: 'line\nbreak, "quotes", ünï, \u{1f600}, \ud800' };
  }

  @Tool({ name: 'texts', description: 'Returns several texts and an object' })
  @AnyPrincipal()
  texts(): ToolResult {
    const content = [
      { text: 'one', type: 'text' as const },
      { type: 'text' as const, text: 'two' },
    ];
    return new ToolResult(content, { b: 1, a: { nested: [null, true] } });
  }

  @Tool({ name: 'annotated', description: 'Returns a text with annotations' })
  @AnyPrincipal()
  annotated(): ToolResult {
    return new ToolResult([{ type: 'text', text: 'one', annotations: { priority: 1 } }]);
  }

  @Tool({ name: 'wrong_content', description: 'Returns content that MCP does not define' })
  @AnyPrincipal()
  wrongContent(): ToolResult {
    return new ToolResult([{ type: 'unheard-of', text: 'one' } as never]);
  }

  @Tool({ name: 'strange', description: 'Returns or logs a value that is not JSON' })
  @AnyPrincipal()
  async strange({ kind }: StrangeInput, call: ToolCall): Promise<ToolResult> {
    const { object, content, told } = STRANGE[kind]?.() ?? {};
    const part = { type: 'text' as const, text: kind };
    if (told !== undefined) {
      await call.log('info', told);
      void call.log('info', told);
      void call.progress(told as number);
    }
    return new ToolResult(content === undefined ? [part] : (content as []), object as never);
  }

  @Tool({ name: 'nothing', description: 'Returns nothing' })
  @AnyPrincipal()
  nothing(): void {}

  @Tool({ name: 'a_number', description: 'Returns a number' })
  @AnyPrincipal()
  aNumber(): number {
    return 42;
  }

  @Tool({ name: 'capabilities', description: 'Returns the capabilities of its client' })
  @AnyPrincipal()
  capabilities(_: NoInput, call: ToolCall): object {
    const { clientCapabilities, inputResponses, requestState, traceparent, signal } = call;
    return {
      clientCapabilities,
      inputResponses,
      state: requestState ?? null,
      traceparent,
      gone: signal.aborted,
    };
  }
}

@Module({ providers: [ChattyTools] })
class ChattyModule {}

interface Case {
  readonly name: string;
  readonly method: string;
  readonly params?: Record<string, unknown>;
  /** Headers in addition to those of the revision; an empty list removes one. */
  readonly headers?: Record<string, string | readonly string[]>;
  readonly claims?: Record<string, unknown>;
  /** Replaces a token with {@link claims}. */
  readonly authorization?: readonly string[];
  /** Replaces the message. */
  readonly body?: string;
  readonly id?: unknown;
  /** False: the request must use the Nest pipeline on both gateways. */
  readonly short?: false;
  /** Required form of a result. */
  readonly form?: 'json' | 'events';
  readonly path?: string;
}

const call = (name: string, args?: unknown, more: Partial<Case> = {}): Case => ({
  name: `${name} ${JSON.stringify(args ?? null)} ${JSON.stringify(more)}`.slice(0, 120),
  method: 'tools/call',
  params: { name, ...(args !== undefined && { arguments: args }) },
  ...more,
});
const meta = (extra: Record<string, unknown>) => ({ _meta: extra });

const CASES: readonly Case[] = [
  call('echo', { text: 'hello' }),
  call('echo', { text: '"\\ \n ünï \u{1f600}', times: 3 }),
  call('echo', { text: 'hello' }, { id: 'text "id"' }),
  call('echo', { text: 'hello' }, { id: 0 }),
  call('echo', { text: 'hello' }, { id: 1.5, short: false }),
  call('echo', { text: 'hello' }, { id: null, short: false }),
  call('echo', { text: 7, times: 99, more: 1 }),
  call('echo', { toString: 'x' }),
  call('echo', {}),
  call('echo'),
  call('echo', [], { short: false }),
  call('echo', 'text', { short: false }),
  call('open'),
  call('open', {}),
  call('open', { unexpected: true }),
  call('fail'),
  call('refuse'),
  call('break_promise'),
  call('keep_promise'),
  call('texts'),
  call('nothing'),
  call('a_number'),
  call('annotated', undefined, { short: false }),
  call('picture', undefined, { short: false }),
  call('wrong_content'),
  ...Object.keys(STRANGE).map((kind) =>
    call('strange', { kind }, { ...(kind === 'a hostile key' && { short: false }) }),
  ),
  call('ask', undefined, { short: false }),
  call('chatter', undefined, { short: false }),
  call('chatter_picture', undefined, { short: false }),
  call('capabilities'),
  call('machine', undefined, { claims: { sub: 'agent', client_id: 'agent', scope: 'probe' } }),
  call('echo', { text: 'x' }, { claims: { sub: 'agent', client_id: 'agent', scope: 'probe' } }),
  call('admin_only'),
  call('admin_only', undefined, { claims: { roles: ['admin'] } }),
  call('admin_only', undefined, { claims: { roles: ['owner'], scope: 'probe probe.admin' } }),
  call('echo', { text: 'x' }, { claims: { scope: '' } }),
  call('sensitive', undefined, { claims: { scope: 'probe probe.sensitive' } }),
  call('unheard_of'),
  call('eyJhbGciOiJSUzI1NiJ9abcdefgh.abc.def'),
  call('open', undefined, { authorization: [] }),
  call('open', undefined, { authorization: ['Bearer x', 'Bearer y'] }),
  call('open', undefined, { authorization: ['Bearer not-a-token'] }),
  call('open', undefined, { authorization: ['Basic abc'] }),
  call('open', undefined, { authorization: ['Bearer a b'] }),
  call('open', undefined, { claims: { exp: 1_000 } }),
  call('open', undefined, { claims: { aud: 'https://elsewhere.example.com' } }),
  call('open', undefined, { claims: { iss: 'https://elsewhere.example.com' } }),
  call('open', undefined, { headers: { origin: 'https://evil.example.com' } }),
  call('open', undefined, { headers: { host: 'evil.example.com' } }),
  call('open', undefined, { headers: { 'user-agent': 'agent\teyJhbGciOiJSUzI1NiJ9abcdefgh.abc' } }),
  call('open', undefined, {
    headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
  }),
  ...[
    'application/json',
    '*/*',
    '*',
    'APPLICATION/JSON; charset=utf-8',
    'text/event-stream;q=0, application/json',
    'text/html, image/gif, *; q=.2, */*; q=.2',
    'text/html',
    'application/json;q=0',
    '',
  ].flatMap((accept) =>
    ['open', 'chatter'].map((name) => call(name, undefined, { form: 'json', headers: { accept } })),
  ),
  call('open', undefined, { headers: { accept: 'application/*, text/*' } }),
  call('open', undefined, { form: 'json', headers: { accept: [] } }),
  call('chatter', undefined, { form: 'json', headers: { accept: [] } }),
  call('annotated', undefined, { form: 'json', headers: { accept: 'application/json' }, short: false }),
  call('chatter_picture', undefined, { form: 'json', headers: { accept: 'application/json' }, short: false }),
  call('capabilities', undefined, { headers: { accept: 'application/json' } }),
  call('steps', undefined, {
    params: { name: 'steps', ...meta({ progressToken: 7 }) },
    form: 'json',
    headers: { accept: 'application/json' },
    short: false,
  }),
  ...['open', 'chatter', 'echo', 'annotated'].map((name) =>
    call(name, undefined, { form: 'events', headers: { accept: 'text/event-stream' }, short: false }),
  ),
  {
    name: 'a list request that accepts only a stream',
    method: 'tools/list',
    headers: { accept: 'text/*' },
    form: 'events',
    short: false,
  },
  {
    name: 'a list request that accepts only JSON',
    method: 'prompts/list',
    headers: { accept: '*/*' },
    form: 'json',
    short: false,
  },
  call('open', undefined, { headers: { accept: 'text/event-stream, application/json;q=0.1' } }),
  call('open', undefined, { headers: { 'content-type': 'text/plain' }, short: false }),
  call('open', undefined, { headers: { 'content-type': 'application/json; charset=utf-8' } }),
  call('open', undefined, { headers: { 'content-encoding': 'gzip' }, short: false }),
  ...[
    '192.0.2.1:51008',
    '[FD00::7]:51008, [::ffff:10.0.0.9]:80',
    '10.9.9.9, 192.0.2.1',
    'nowhere',
    '192.0.2.1, x, 10.0.0.9',
    '',
  ].flatMap((value) => [
    call('open', undefined, { headers: { 'x-forwarded-for': value } }),
    call('admin_only', undefined, { headers: { forwarded: `for="${value}"` } }),
  ]),
  call('open', undefined, { headers: { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=10.9.9.9' } }),
  call('open', undefined, { headers: { host: 'localhost.:1' } }),
  call('open', undefined, { path: 'http://localhost/mcp' }),
  call('open', undefined, { path: 'HTTP://[::1]:80/mcp' }),
  call('open', undefined, { path: 'http://localhost/mcp?access_token=abc', short: false }),
  call('open', undefined, { path: 'http://evil.example.com/mcp' }),
  call('open', undefined, { path: 'http://localhost/mcp', headers: { host: 'evil.example.com' } }),
  call('open', undefined, { path: 'https://localhost/mcp' }),
  call('open', undefined, { path: 'http://user@localhost/mcp', short: false }),
  call('open', undefined, { path: '/mcp?access_token=abc', short: false }),
  call('open', undefined, { path: '/mcp/', short: false }),
  call('open', undefined, { path: '/MCP', short: false }),
  call('open', undefined, { params: { name: 'open', ...meta({ progressToken: 'p' }) }, short: false }),
  call('steps', undefined, { params: { name: 'steps', ...meta({ progressToken: 7 }) }, short: false }),
  call('steps'),
  call('chatter', undefined, {
    params: { name: 'chatter', ...meta({ 'io.modelcontextprotocol/logLevel': 'warning' }) },
    short: false,
  }),
  call('open', undefined, { params: { name: 'open', requestState: 'forged' }, short: false }),
  call('open', undefined, { params: { name: 'open', inputResponses: {} }, short: false }),
  call('open', undefined, { params: { name: 'open', unknown: 1 }, short: false }),
  call('open', undefined, { params: { name: 'open', ...meta({ 'example.com/mine': { a: 1 } }) } }),
  call('open', undefined, { params: { name: 'open', ...meta({ traceparent: 'nonsense' }) } }),
  call('open', undefined, { params: { arguments: {} }, short: false }),
  call('open', undefined, { params: { name: 7 }, short: false }),
  call('open', undefined, { body: '{', short: false }),
  call('open', undefined, { body: '[]', short: false }),
  call('open', undefined, { body: '{"jsonrpc":"2.0","id":1,"method":"tools/call"}', short: false }),
  call('open', undefined, {
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"open","arguments":{"__proto__":1}}}',
    short: false,
  }),
  call('open', undefined, { headers: { 'mcp-name': ['open', 'open'] } }),
  call('open', undefined, { headers: { 'mcp-name': ['open', 'echo'] } }),
  call('open', undefined, { headers: { 'mcp-method': ['tools/call', 'tools/call'] } }),
  call('open', undefined, { headers: { 'mcp-method': ['tools/list', 'tools/call'] } }),
  call('open', undefined, { headers: { 'mcp-protocol-version': ['2025-11-25', '2025-11-25'] } }),
  call('open', undefined, { headers: { 'mcp-protocol-version': ['2025-11-25', '2025-06-18'] } }),
  call('open', undefined, { headers: { 'mcp-protocol-version': ['2026-07-28', '2026-07-28'] } }),
  call('open', undefined, { headers: { 'mcp-protocol-version': '2025-11-25, 2025-11-25' } }),
  call('open', undefined, { headers: { 'mcp-protocol-version': '1999-01-01' } }),
  call('echo', { text: null }),
  call('echo', { text: 'x', times: null }),
  call('open', { unexpected: null }),
  call('open', null),
  call('echo', null),
  call('open', undefined, { params: { name: 'open', requestState: null, inputResponses: null, task: null } }),
  call('open', undefined, { params: { name: 'open', ...meta({ progressToken: null, traceparent: null }) } }),
  call('open', undefined, { params: { name: null, arguments: {} } }),
  call('open', undefined, {
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}',
    short: false,
  }),
  call('open', undefined, {
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"open","_meta":null,"arguments":null}}',
  }),
  call('admin_only', undefined, {
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"open","name":"admin_only"},"params":null}',
    short: false,
  }),
  { name: 'a list request with the cursor null', method: 'tools/list', params: { cursor: null } },
  {
    name: 'a list request with the parameters null',
    method: 'tools/list',
    body: '{"jsonrpc":"2.0","id":"a","method":"tools/list","params":null}',
  },
  { name: 'a list request', method: 'tools/list' },
  {
    name: 'a list request of an administrator',
    method: 'tools/list',
    claims: { scope: 'probe probe.admin', roles: ['admin'] },
  },
  { name: 'a list request without scopes', method: 'tools/list', claims: { scope: '' } },
  { name: 'a repeated list request', method: 'tools/list' },
  {
    name: 'a list request of a workload',
    method: 'tools/list',
    claims: { sub: 'agent', client_id: 'agent', scope: 'probe' },
  },
  { name: 'a list request with a cursor', method: 'tools/list', params: { cursor: 'x' }, short: false },
  { name: 'a list request without a token', method: 'tools/list', authorization: [] },
  { name: 'a request for another list', method: 'prompts/list', short: false },
  {
    name: 'a prompt request',
    method: 'prompts/get',
    params: { name: 'greet', arguments: { name: 'A' } },
    short: false,
  },
  { name: 'a resource request', method: 'resources/read', params: { uri: 'docs://handbook' }, short: false },
  { name: 'an unknown method', method: 'tools/unknown', short: false },
];

interface Seen {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

let issuer: TestIssuer;
let short: Gate;
let ordinary: Gate;
const AUDIENCE = 'https://gate.example.com/mcp';

beforeAll(async () => {
  issuer = await TestIssuer.start();
  const env = { AUTH_AUDIENCE: AUDIENCE, RATE_LIMIT_PER_MINUTE: '40', TRUST_PROXY: '127.0.0.1,10.0.0.0/8' };
  const start = (more: Record<string, string>) =>
    Gate.start({ issuer, database: false, env: { ...env, ...more }, imports: [ProbeModule, ChattyModule] });
  short = await start({});
  ordinary = await start({ MCP_FAST_PATH: 'off' });
});
afterAll(async () => {
  await short?.close();
  await ordinary?.close();
  await issuer?.stop();
});

function bodyOf({ method, params = {}, body, id = 1 }: Case, revision: string): string {
  if (body !== undefined) return body;
  const envelope = {
    'io.modelcontextprotocol/protocolVersion': revision,
    'io.modelcontextprotocol/clientInfo': { name: 'table', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
  };
  const own = params._meta as object | undefined;
  const _meta = revision === MODERN ? { ...envelope, ...own } : own;
  return JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, ...(_meta && { _meta }) } });
}

function headersOf({ method, params, headers }: Case, revision: string): [string, string][] {
  const name = params?.name ?? params?.uri;
  const all: Record<string, string | readonly string[]> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(revision !== '' && { 'mcp-protocol-version': revision }),
    ...(revision === MODERN && {
      'mcp-method': method,
      ...(typeof name === 'string' && { 'mcp-name': name }),
    }),
    ...headers,
  };
  return Object.entries(all).flatMap(([key, value]) =>
    (typeof value === 'string' ? [value] : value).map((one): [string, string] => [key, one]),
  );
}

function send(gate: Gate, one: Case, revision: string, authorization: readonly string[]): Promise<Seen> {
  const body = bodyOf(one, revision);
  const headers = headersOf(one, revision);
  if (!headers.some(([name]) => name === 'host')) headers.push(['host', new URL(gate.url).host]);
  for (const value of authorization) headers.push(['authorization', value]);
  headers.push(['content-length', String(Buffer.byteLength(body))]);
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(gate.url);
    const options = {
      hostname,
      port,
      path: one.path ?? '/mcp',
      method: 'POST',
      headers: headers.flat(),
      agent: false,
    };
    const sent = httpRequest(options as never, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => (text += piece));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Replaces the values that differ per request, and the address of the gateway. */
function withoutNames(text: string, gate: Gate): string {
  return text
    .replaceAll(gate.origin, 'ORIGIN')
    .replace(/[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/g, 'UUID')
    .replace(/"requestState":"[^"]+"/g, '"requestState":"STATE"');
}

const OF_THE_CONNECTION = [
  'date',
  'connection',
  'keep-alive',
  'content-length',
  'transfer-encoding',
  'x-request-id',
];
const OF_A_STREAM = ['content-type', 'cache-control', 'x-accel-buffering'];

/** A stream with one event equals its JSON data: clients of these revisions accept both. */
function normalized({ status, headers, text }: Seen, gate: Gate, revision: string): object {
  const left = Object.entries(headers)
    .filter(([name]) => !OF_THE_CONNECTION.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const event = /^event: message\ndata: ([^\n]*)\n\n$/.exec(text)?.[1];
  const mayStream = revision !== MODERN && status === 200;
  return {
    status,
    headers: withoutNames(
      JSON.stringify(left.filter(([name]) => !mayStream || !OF_A_STREAM.includes(name))),
      gate,
    ),
    text: withoutNames(mayStream ? (event ?? text) : text, gate),
  };
}

function recorded(lines: readonly AuditLogLine[], gate: Gate): unknown[] {
  return lines.map((line) => {
    const { seq: _seq, time: _time, instance: _instance, prev: _prev, hash: _hash, outcome, ...rest } = line;
    const status = outcome ? { status: outcome.status as unknown } : outcome;
    return JSON.parse(withoutNames(JSON.stringify({ ...rest, outcome: status }), gate)) as unknown;
  });
}

/** The records of a request, including the outcome, which is written after the response. */
async function linesAfter(gate: Gate, before: number): Promise<AuditLogLine[]> {
  const isComplete = (lines: readonly AuditLogLine[]) => {
    const calls = lines.filter((line) => line.event === 'decision' && line.decision === 'allow');
    return calls.every(({ id }) => lines.some((line) => line.decision_id === id));
  };
  for (let left = 100; left > 0; left--) {
    const lines = gate.auditLog().slice(before);
    if (lines.length > 0 && isComplete(lines)) return lines;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return gate.auditLog().slice(before);
}

let people = 0;

describe.each([MODERN, '2025-11-25', '2025-06-18', '2025-03-26', ''])(
  'fast path and Nest pipeline in revision "%s"',
  (revision) => {
    it.each(CASES.map((one) => [one.name, one] as const))('respond alike to %s', async (_name, one) => {
      const claims = { sub: `person-${(people += 1)}`, scope: 'probe', ...one.claims };
      const tokens = one.authorization ?? [`Bearer ${await issuer.mint(AUDIENCE, claims)}`];
      const seen = [];
      for (const gate of [short, ordinary]) {
        const [lines, runs] = [gate.auditLog().length, gate.app.nest.get(Runs).names.length];
        const answer = await send(gate, one, revision, tokens);
        const left = await linesAfter(gate, lines);
        seen.push({
          answer: normalized(answer, gate, revision),
          records: recorded(left, gate),
          ran: gate.app.nest.get(Runs).names.slice(runs),
          type: answer.headers['content-type'],
          isShort: answer.status === 200 && answer.headers['content-length'] !== undefined,
          status: answer.status,
        });
      }
      const [ours, theirs] = seen as [(typeof seen)[0], (typeof seen)[0]];
      expect(ours.answer).toEqual(theirs.answer);
      expect(ours.records).toEqual(theirs.records);
      expect(ours.ran).toEqual(theirs.ran);
      if (one.form !== undefined && ours.status === 200) {
        const type = one.form === 'json' ? 'application/json' : 'text/event-stream';
        expect([ours.type, theirs.type]).toEqual([type, type]);
      }
      // Without this check a disabled fast path would pass unnoticed.
      expect(theirs.isShort).toBe(false);
      const maySpeak = /^chatter|tells a/.test(one.name) && revision !== MODERN && one.form !== 'json';
      if (ours.status === 200 && !maySpeak) {
        expect([one.name, ours.isShort]).toEqual([
          one.name,
          one.short !== false || isPlainAnyway(one, revision),
        ]);
      }
    });
  },
);

/** A field of another revision is ignored, so the call is an ordinary call. */
function isPlainAnyway({ params, form }: Case, revision: string): boolean {
  return form !== 'events' && revision === MODERN && params?.name === 'chatter' && params._meta === undefined;
}

it('count requests alike for the rate limit and reject the excess', async () => {
  const token = [`Bearer ${await issuer.mint(AUDIENCE, { sub: 'flood', scope: 'probe' })}`];
  const answers = [];
  for (const gate of [short, ordinary]) {
    for (let sent = 0; sent < 40; sent++) await send(gate, call('open'), MODERN, token);
    const answer = await send(gate, call('open'), MODERN, token);
    answers.push({ ...normalized(answer, gate, MODERN), waits: Number(answer.headers['retry-after']) > 0 });
  }
  const [ours, theirs] = answers.map(({ waits, ...rest }) => ({
    waits,
    // The wait time depends on the moment: in the header, in the message and in data.retry_after.
    ...JSON.parse(
      JSON.stringify(rest).replaceAll(
        /(retry-after[^\d]*|retry in |retry_after[^\d]*)\d+( seconds?)?/g,
        '$1N',
      ),
    ),
  })) as [object, object];
  expect(ours).toEqual(theirs);
  expect(ours).toMatchObject({ status: 429, waits: true });
});

describe.each([MODERN, '2025-11-25'])('disconnected client of revision %s', (revision) => {
  it.each([
    ['short', () => short],
    ['ordinary', () => ordinary],
  ] as const)('has its call aborted with the %s pipeline', async (_name, gateOf) => {
    const gate = gateOf();
    const token = await issuer.mint(AUDIENCE, { sub: `leaver-${revision}`, scope: 'probe' });
    const runs = gate.app.nest.get(Runs);
    const before = { ran: runs.names.length, aborted: runs.aborted.length };
    const one = call('wait');
    const headers = [...headersOf(one, revision), ['authorization', `Bearer ${token}`]];
    const sent = httpRequest(gate.url, {
      method: 'POST',
      headers: Object.fromEntries(headers) as never,
      agent: false,
    });
    sent.on('error', () => undefined);
    sent.end(bodyOf(one, revision));
    while (runs.names.length === before.ran) await new Promise((resolve) => setTimeout(resolve, 10));
    sent.destroy();
    const lines = await gate.waitForAuditLog(
      ({ outcome, on_behalf_of }) => outcome?.status === 'cancelled' && on_behalf_of === `leaver-${revision}`,
    );
    expect(runs.aborted.length).toBe(before.aborted + 1);
    expect(lines.filter(({ on_behalf_of }) => on_behalf_of === `leaver-${revision}`)).toHaveLength(2);
  });
});

it('aborts a running call for notifications/cancelled', async () => {
  const token = await issuer.mint(AUDIENCE, { sub: 'canceller', scope: 'probe' });
  const running = short.post(
    token,
    { jsonrpc: '2.0', id: 'mine', method: 'tools/call', params: { name: 'wait' } },
    { 'mcp-protocol-version': '2025-11-25' },
  );
  await short.waitForAuditLog(({ on_behalf_of }) => on_behalf_of === 'canceller');
  const { status } = await short.post(
    token,
    { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'mine' } },
    { 'mcp-protocol-version': '2025-11-25' },
  );
  expect(status).toBe(202);
  expect((await running).status).toBe(200);
  await short.waitForAuditLog(
    ({ outcome, on_behalf_of }) => outcome?.status === 'cancelled' && on_behalf_of === 'canceller',
  );
});
