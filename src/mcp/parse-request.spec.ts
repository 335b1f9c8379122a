import { malformedRequest } from '../core/app-error.js';
import type { JsonObject } from '../lib/json.js';
import { classify } from './classify.js';
import { headersFor, idOf, toParsedRequest, type Classified, type McpHeaders } from './parse-request.js';

const REVISION = '2026-07-28';
const META = {
  'io.modelcontextprotocol/protocolVersion': REVISION,
  'io.modelcontextprotocol/clientCapabilities': {},
};
const BOTH = 'application/json, text/event-stream';
const NONE: McpHeaders = { protocolVersion: undefined, method: undefined, name: undefined, accept: BOTH };

function outcome(headers: Partial<McpHeaders>, body: JsonObject): string {
  const parsed = toParsedRequest(
    { ...NONE, ...headers },
    { ok: true, value: { jsonrpc: '2.0', ...body } },
    classify,
  );
  if (parsed.ok) return `${parsed.message.era} ${parsed.message.method}`;
  return `${parsed.fault.status} ${parsed.fault.rpcCode}`;
}

const HANDSHAKE = {
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
};

const call = (name: unknown = 'echo') => ({ id: 1, method: 'tools/call', params: { name, _meta: META } });
const MODERN = { protocolVersion: REVISION, method: 'tools/call', name: 'echo' };

it.each<[string, Partial<McpHeaders>, JsonObject, string]>([
  ['agreeing headers', MODERN, call(), 'modern tools/call'],
  ['no version header', { ...MODERN, protocolVersion: undefined }, call(), '400 -32020'],
  ['another version header', { ...MODERN, protocolVersion: '2025-11-25' }, call(), '400 -32020'],
  ['no method header', { ...MODERN, method: undefined }, call(), '400 -32020'],
  ['another method header', { ...MODERN, method: 'tools/list' }, call(), '400 -32020'],
  ['no name header', { ...MODERN, name: undefined }, call(), '400 -32020'],
  ['another name header', { ...MODERN, name: 'Echo' }, call(), '400 -32020'],
  ['a name in base64', { ...MODERN, name: '=?base64?ZWNobw==?=' }, call(), 'modern tools/call'],
  [
    'a name in base64 with another spelling',
    { ...MODERN, name: '=?base64?ZWNobx==?=' },
    call(),
    '400 -32020',
  ],
  ['a name in no base64', { ...MODERN, name: '=?base64?*?=' }, call(), '400 -32020'],
  ['a name in base64 of no UTF-8', { ...MODERN, name: '=?base64?/w==?=' }, call('\ufffd'), '400 -32020'],
  ['no envelope under a modern header', MODERN, { ...call(), params: { name: 'echo' } }, '400 -32602'],
  [
    'an envelope without capabilities',
    MODERN,
    { ...call(), params: { name: 'echo', _meta: { 'io.modelcontextprotocol/protocolVersion': REVISION } } },
    '400 -32602',
  ],
  [
    'a revision of the future',
    { ...MODERN, protocolVersion: '2027-01-01' },
    {
      ...call(),
      params: { name: 'echo', _meta: { ...META, 'io.modelcontextprotocol/protocolVersion': '2027-01-01' } },
    },
    '400 -32022',
  ],
  [
    'a removed method',
    { protocolVersion: REVISION, method: 'ping' },
    { id: 1, method: 'ping', params: { _meta: META } },
    '404 -32601',
  ],
  [
    'a method that is none',
    { protocolVersion: REVISION, method: 'constructor' },
    { id: 1, method: 'constructor', params: { _meta: META } },
    '404 -32601',
  ],
  ['a name that is no string', MODERN, call(5), '400 -32602'],
  [
    'arguments that are no object',
    MODERN,
    { ...call(), params: { name: 'echo', arguments: 'x', _meta: META } },
    '400 -32602',
  ],
  [
    'a state that is no string',
    MODERN,
    { ...call(), params: { name: 'echo', requestState: 5, _meta: META } },
    '400 -32602',
  ],
  ['the old handshake', {}, HANDSHAKE, 'legacy initialize'],
  ...['1999-01-01', '2027-01-01', 'DRAFT-2026-v1', ''].map(
    (protocolVersion): [string, Partial<McpHeaders>, JsonObject, string] => [
      `the old handshake under the unknown version "${protocolVersion}"`,
      { protocolVersion },
      HANDSHAKE,
      'legacy initialize',
    ],
  ),
  ['the old handshake under the new version', { protocolVersion: REVISION }, HANDSHAKE, '400 -32020'],
  [
    'the old handshake under two versions',
    { protocolVersion: '2025-11-25, 2025-06-18' },
    HANDSHAKE,
    '400 -32600',
  ],
  [
    'the old handshake under a version that its envelope contradicts',
    { protocolVersion: '2027-01-01' },
    { ...HANDSHAKE, params: { ...HANDSHAKE.params, _meta: META } },
    '400 -32020',
  ],
  [
    'an old call without a version header',
    {},
    { id: 1, method: 'tools/call', params: { name: 'echo' } },
    'legacy tools/call',
  ],
  [
    'an old call of an unknown version',
    { protocolVersion: '1999-01-01' },
    { id: 1, method: 'tools/call', params: { name: 'echo' } },
    '400 -32600',
  ],
  [
    'an old client that takes no stream',
    { accept: 'application/json' },
    { id: 1, method: 'ping' },
    'legacy ping',
  ],
  ['an old client that says nothing', { accept: undefined }, { id: 1, method: 'ping' }, 'legacy ping'],
  ['an old client that takes neither form', { accept: 'text/html' }, { id: 1, method: 'ping' }, '406 -32000'],
  [
    'an old client that excludes both forms',
    { accept: 'application/json;q=0, text/event-stream;q=0.0' },
    { id: 1, method: 'ping' },
    '406 -32000',
  ],
  ['a client that takes neither form', { ...MODERN, accept: 'text/html' }, call(), '406 -32000'],
  [
    'a notification, which has no answer',
    { accept: 'text/html' },
    { method: 'notifications/initialized' },
    'legacy notifications/initialized',
  ],
  [
    'a stream for a client that takes none',
    { ...MODERN, method: 'subscriptions/listen', accept: 'application/json' },
    { id: 1, method: 'subscriptions/listen', params: { notifications: {}, _meta: META } },
    '406 -32000',
  ],
  [
    'a stream for a client that takes everything',
    { ...MODERN, method: 'subscriptions/listen', accept: '*/*' },
    {
      id: 1,
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: null }, _meta: META },
    },
    'modern subscriptions/listen',
  ],
  ['parameters that are null', {}, { id: 1, method: 'tools/list', params: null }, 'legacy tools/list'],
  [
    'a cursor that is null',
    {},
    { id: 1, method: 'tools/list', params: { cursor: null } },
    'legacy tools/list',
  ],
  [
    'metadata that is null',
    {},
    { id: 1, method: 'tools/call', params: { name: 'echo', _meta: null, arguments: null } },
    'legacy tools/call',
  ],
  [
    'metadata that is null, where it is required',
    MODERN,
    { ...call(), params: { name: 'echo', _meta: null } },
    '400 -32602',
  ],
  ['a name that is null', {}, { id: 1, method: 'tools/call', params: { name: null } }, '400 -32602'],
  ['a call whose parameters are null', {}, { id: 1, method: 'tools/call', params: null }, '400 -32602'],
  ['a header with different values', { ...MODERN, contradictory: 'Mcp-Name' }, call(), '400 -32020'],
  ['a name repeated in one line', { ...MODERN, name: 'echo, echo' }, call(), 'modern tools/call'],
  ['two names in one line', { ...MODERN, name: 'echo, open' }, call(), '400 -32020'],
  ['a name with a comma', { ...MODERN, name: 'a, a' }, call('a, a'), 'modern tools/call'],
  ['a method that is not there', {}, { id: 1, method: 'tools/delete' }, '404 -32601'],
  ['an old notification', {}, { method: 'notifications/initialized' }, 'legacy notifications/initialized'],
  ['a call without an id', {}, { method: 'tools/call', params: { name: 'echo' } }, '400 -32600'],
  ['a response', {}, { id: 1, result: {} }, '400 -32600'],
  ['no method', {}, { id: 1 }, '400 -32600'],
  ['an id that is null', {}, { id: null, method: 'ping' }, '400 -32600'],
  ['another JSON-RPC', {}, { jsonrpc: '1.0', id: 1, method: 'ping' }, '400 -32600'],
])('parseRequest: %s', (_name, headers, body, expected) => {
  expect(outcome(headers, body)).toBe(expected);
});

describe('parsed message', () => {
  const messageOf = (headers: Partial<McpHeaders>, body: JsonObject) => {
    const parsed = toParsedRequest(
      { ...NONE, ...headers },
      { ok: true, value: { jsonrpc: '2.0', ...body } },
      classify,
    );
    if (!parsed.ok) throw parsed.fault;
    return parsed.message;
  };

  it('has no optional null members and unchanged arguments', () => {
    const args = { a: null, b: { c: null } };
    const params = { name: 'echo', arguments: args, requestState: null, _meta: null };
    const message = messageOf({}, { id: 1, method: 'tools/call', params });
    expect(message.params).toEqual({ name: 'echo', arguments: args });
    expect(message.body.params).toBe(message.params);
    expect(message.params.arguments).toBe(args);
  });

  it.each([
    ['2025-11-25', '2025-11-25'],
    [undefined, '2025-03-26'],
    ['1999-01-01', '2025-03-26'],
  ])('gives a handshake with version %s the revision %s', (protocolVersion, revision) => {
    expect(messageOf({ protocolVersion }, HANDSHAKE).revision).toBe(revision);
  });

  it('derives the headers of the SDK from the message', () => {
    const modern = messageOf({ ...MODERN, name: '=?base64?Wm/Dqw==?=', accept: '*/*' }, call('Zoë'));
    expect(headersFor(modern)).toEqual({
      'content-type': 'application/json',
      accept: BOTH,
      'mcp-protocol-version': REVISION,
      'mcp-method': 'tools/call',
      'mcp-name': '=?base64?Wm/Dqw==?=',
    });
    const legacy = messageOf({ name: 'other', method: 'other' }, { id: 1, method: 'ping' });
    expect(headersFor(legacy)).toEqual({
      'content-type': 'application/json',
      accept: BOTH,
      'mcp-protocol-version': '2025-03-26',
    });
  });
});

describe('parseRequest: headers', () => {
  const served = (era: 'modern' | 'legacy', isRequest: boolean) => (): Classified => ({
    kind: 'served',
    era,
    isRequest,
  });
  const without = (key: string) => ({ ...MODERN, [key]: undefined });
  const ask = (method: string, params: JsonObject = {}) => ({ id: 1, method, params });
  const READ = { ...MODERN, method: 'resources/read', name: 'docs://a' };
  const inBase64 = (name: string) => ({
    ...MODERN,
    name: `=?base64?${Buffer.from(name).toString('base64')}?=`,
  });

  it.each<[string, object, JsonObject, string | undefined]>([
    ['all of them', MODERN, call(), undefined],
    ['no version', without('protocolVersion'), call(), 'The MCP-Protocol-Version header is missing'],
    ['no method', without('method'), call(), 'The Mcp-Method header is missing'],
    [
      'a method in capitals',
      { ...MODERN, method: 'TOOLS/CALL' },
      call(),
      'differs from the method of the body',
    ],
    ['no name', without('name'), call(), 'The Mcp-Name header is missing'],
    ['another name', { ...MODERN, name: 'echo2' }, call(), 'differs from the name in the body'],
    ['a name in base64', inBase64('echo'), call(), undefined],
    ['a name beyond ASCII in base64', inBase64('Zoë'), call('Zoë'), undefined],
    ['an empty name', inBase64(''), call(''), undefined],
    ['base64 of another name', inBase64('echo2'), call(), 'differs from the name in the body'],
    [
      'base64 without its end',
      { ...MODERN, name: '=?base64?ZWNobw==' },
      call(),
      'differs from the name in the body',
    ],
    [
      'base64 without padding',
      { ...MODERN, name: '=?base64?ZWNobw?=' },
      call(),
      'differs from the name in the body',
    ],
    [
      'the form of base64 in the body',
      inBase64('echo'),
      call(inBase64('echo').name),
      'differs from the name in',
    ],
    ['a resource by its uri', READ, ask('resources/read', { uri: 'docs://a', name: 'b' }), undefined],
    ['another uri', READ, ask('resources/read', { uri: 'docs://b' }), 'differs from the name in the body'],
    [
      'another prompt',
      { ...MODERN, method: 'prompts/get' },
      ask('prompts/get', { name: 'b' }),
      'differs from the name',
    ],
    ['a list, which has no name', { ...without('name'), method: 'tools/list' }, ask('tools/list'), undefined],
    [
      'a method by an inherited name',
      { ...without('name'), method: '__proto__' },
      ask('__proto__', { '[object Object]': 'x' }),
      undefined,
    ],
  ])('%s', (_name, headers, body, problem) => {
    const parsed = toParsedRequest(
      { ...NONE, ...headers },
      { ok: true, value: body },
      served('modern', true),
    );
    expect(parsed.ok ? undefined : parsed.fault).toEqual(
      problem === undefined
        ? undefined
        : expect.objectContaining({
            status: 400,
            rpcCode: -32020,
            message: expect.stringContaining(problem),
          }),
    );
  });

  it('does not require them in older revisions', () => {
    expect(toParsedRequest(NONE, { ok: true, value: call() }, served('legacy', true))).toMatchObject({
      ok: true,
      message: { id: 1, method: 'tools/call', era: 'legacy', params: { name: 'echo' } },
    });
  });

  it.each(['tools/call', 'tools/list', 'ping', 'notification/x'])('requires an id for %s', (method) => {
    const parsed = toParsedRequest(NONE, { ok: true, value: { method } }, served('modern', false));
    expect(parsed).toMatchObject({ ok: false, id: null, fault: { status: 400, rpcCode: -32600 } });
  });

  it.each<[unknown, JsonObject]>([
    [{ supported: ['a'] }, { supported: ['a'] }],
    [['a'], {}],
    ['text', {}],
    [undefined, {}],
  ])('keeps the code of a rejection, and of its details %j an object', (data, kept) => {
    const reject = (): Classified => ({ kind: 'rejected', status: 418, code: -32099, message: 'No', data });
    const parsed = toParsedRequest(NONE, { ok: true, value: call() }, reject);
    expect(parsed).toMatchObject({
      ok: false,
      id: 1,
      fault: { status: 418, rpcCode: -32099, message: 'No' },
    });
    expect(!parsed.ok && parsed.fault.data).toEqual(kept);
  });

  it('does not classify an invalid body, and returns its id', () => {
    const never = () => {
      throw new Error('classified');
    };
    const fault = malformedRequest('odd');
    expect(toParsedRequest(MODERN as McpHeaders, { ok: false, value: call(), fault }, never)).toEqual({
      ok: false,
      id: 1,
      fault,
    });
  });
});

it.each([
  [{ id: 1, method: 'm' }, 1],
  [{ id: 'a', method: 'm' }, 'a'],
  [{ id: 0, method: 'm' }, 0],
  [{ id: null, method: 'm' }, null],
  [{ id: {}, method: 'm' }, null],
  [{ id: 1 }, null],
  [[{ id: 1, method: 'm' }], null],
  ['text', null],
  [undefined, null],
])('reads the id of %j as %j', (body, expected) => {
  expect(idOf(body)).toBe(expected);
});
