/** Messages with one error each, and their expected responses. */
import { MODERN } from '../support/gate.js';

export type Headers = Readonly<Record<string, string>>;

export interface MessageCase {
  readonly name: string;
  readonly body: string | Uint8Array;
  readonly headers: Headers;
  readonly status: number;
  /** JSON-RPC code. */
  readonly code: number;
  /** JSON-RPC id of the response. */
  readonly id: string | number | null;
  readonly reason: string;
}

export const LEGACY: Headers = { 'mcp-protocol-version': '2025-11-25' };
export const META = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientCapabilities': {},
};
export const modernHeaders = (method: string, name?: string, change: Headers = {}): Headers => ({
  'mcp-protocol-version': MODERN,
  'mcp-method': method,
  ...(name !== undefined && { 'mcp-name': name }),
  ...change,
});

const ECHO = { name: 'echo', arguments: { text: 'hello' } };
const message = (change: object = {}) => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: ECHO,
  ...change,
});
export const ECHO_TEXT = JSON.stringify(message());

type Expected = Partial<Pick<MessageCase, 'status' | 'code' | 'id' | 'reason'>>;

const MALFORMED = { status: 400, code: -32600, id: null, reason: 'request_malformed' } as const;
const NO_JSON = { code: -32700 };
const BAD_PARAMS = { code: -32602, id: 1 };
const MISMATCH = { code: -32020, id: 1 };
const NO_METHOD = { status: 404, code: -32601, id: 1 };
const NO_TOOL = { status: 404, code: -32602, id: 1, reason: 'tool_unknown' };

const row = (
  name: string,
  body: string | Uint8Array | object,
  expected: Expected = {},
  headers: Headers = LEGACY,
): MessageCase => ({
  name,
  body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  headers,
  ...MALFORMED,
  ...expected,
});

const echoWith = (text: string) =>
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":${text}}}}`;
const lists = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
const objects = (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);

export const BODIES: readonly MessageCase[] = [
  row('empty', '', NO_JSON),
  row('a space', ' ', NO_JSON),
  row('half of an object', '{', NO_JSON),
  row('a word', 'hello', NO_JSON),
  row('JSON followed by another character', `${ECHO_TEXT}x`, NO_JSON),
  row('two messages', `${ECHO_TEXT}\n${ECHO_TEXT}`, NO_JSON),
  row('a NUL at the end', `${ECHO_TEXT}\0`, NO_JSON),
  row('single quotes', "{'jsonrpc':'2.0'}", NO_JSON),
  row('NaN', echoWith('NaN'), NO_JSON),
  row('a comment', `/**/${ECHO_TEXT}`, NO_JSON),
  row('invalid UTF-8', Buffer.from(echoWith('"\u00ff\u00fe"'), 'latin1'), NO_JSON),
  row('UTF-16', Buffer.from(ECHO_TEXT, 'utf16le'), NO_JSON),
  row('an overlong slash', Buffer.from(echoWith('"\u00c0\u00af"'), 'latin1'), NO_JSON),
  row('a text', '"tools/call"'),
  row('a number', '5'),
  row('null', 'null'),
  row('true', 'true'),
  row('an empty batch', '[]'),
  row('a batch of one', `[${ECHO_TEXT}]`),
  row('a batch of a hundred', `[${Array(100).fill(ECHO_TEXT).join(',')}]`),
  row('an empty object', '{}'),
  row('65 levels', echoWith(lists(62)), { id: 1 }),
  row('65 levels of objects', echoWith(objects(62)), { id: 1 }),
  row('10,000 levels', `{"a":${lists(10_000)}}`),
  row('10,000 levels of objects', objects(10_000)),
  row('400,000 levels', `{"a":${lists(400_000)}}`),
  row('text/plain', ECHO_TEXT, { status: 415 }, { ...LEGACY, 'content-type': 'text/plain' }),
  row(
    'a form',
    ECHO_TEXT,
    { status: 415 },
    { ...LEGACY, 'content-type': 'application/x-www-form-urlencoded' },
  ),
  row(
    'multipart',
    ECHO_TEXT,
    { status: 415 },
    { ...LEGACY, 'content-type': 'multipart/form-data; boundary=x' },
  ),
  row('application/jsonx', ECHO_TEXT, { status: 415 }, { ...LEGACY, 'content-type': 'application/jsonx' }),
  row('no type', ECHO_TEXT, { status: 415 }, { ...LEGACY, 'content-type': '' }),
  row('gzip', ECHO_TEXT, { status: 415 }, { ...LEGACY, 'content-encoding': 'gzip' }),
  row('deflate, gzip', ECHO_TEXT, { status: 415 }, { ...LEGACY, 'content-encoding': 'deflate, gzip' }),
  row('1 MiB and 1 byte', echoWith(`"${'x'.repeat(1024 * 1024 + 1 - echoWith('""').length)}"`), {
    status: 413,
  }),
];

const at = (place: string, key: string): string =>
  ({
    top: `{"jsonrpc":"2.0","id":1,"method":"tools/call","${key}":{"a":1},"params":{"name":"echo","arguments":{"text":"hello"}}}`,
    params: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","${key}":{"a":1},"arguments":{"text":"hello"}}}`,
    arguments: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello","${key}":{"a":1}}}}`,
    'a list in the arguments': echoWith(`[[{"${key}":1}]]`),
    _meta: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"},"_meta":{"${key}":null}}}`,
  })[place] as string;

export const HOSTILE_KEYS: readonly MessageCase[] = [
  '__proto__',
  'constructor',
  'prototype',
  '\\u005f_proto__',
].flatMap((key) =>
  ['top', 'params', 'arguments', 'a list in the arguments', '_meta'].map((place) =>
    row(`${key} in ${place}`, at(place, key), { id: 1 }),
  ),
);

/** Values of `Accept` that exclude both response types (RFC 9110 section 12.5.1). */
const NOT_ACCEPTABLE = [
  'text/html',
  'application/jsonx',
  'application/json;q=0',
  'application/json;q=0, text/event-stream;q=0.000, */*',
  '*/*;q=0',
];

export const ENVELOPES: readonly MessageCase[] = [
  ...['{}', '[]', 'null', 'true', '1e999'].map((id) =>
    row(`id ${id}`, ECHO_TEXT.replace('"id":1', `"id":${id}`)),
  ),
  row('id 1.5', message({ id: 1.5 }), { id: 1.5 }),
  row('id beyond safe integers', ECHO_TEXT.replace('"id":1', '"id":1e308'), { id: 1e308 }),
  row('jsonrpc missing', message({ jsonrpc: undefined }), { id: 1 }),
  row('jsonrpc 1.0', message({ jsonrpc: '1.0' }), { id: 1 }),
  row('jsonrpc a number', message({ jsonrpc: 2 }), { id: 1 }),
  ...[undefined, 5, null, {}, ['tools/call']].map((method) =>
    row(`method ${JSON.stringify(method)}`, message({ method })),
  ),
  ...[
    '',
    'TOOLS/CALL',
    'tools/call ',
    'toString',
    '__proto__',
    'constructor',
    'x'.repeat(10_000),
    'sampling/createMessage',
    'tasks/get',
    'server/discover',
    'subscriptions/listen',
  ].map((method) => row(`method ${JSON.stringify(method.slice(0, 30))}`, message({ method }), NO_METHOD)),
  row('params null', message({ params: null }), BAD_PARAMS),
  ...[[], ['echo'], 'echo', 5, true].map((params) =>
    row(`params ${JSON.stringify(params)}`, message({ params }), { id: 1 }),
  ),
  row('a response', { jsonrpc: '2.0', id: 1, result: {} }),
  row('an error response', { jsonrpc: '2.0', id: 1, error: { code: 1, message: 'x' } }),
  row('a response that is also a call', message({ result: {} }), { id: 1 }),
  row('notification with a list of params', {
    jsonrpc: '2.0',
    method: 'notifications/cancelled',
    params: [],
  }),
  row('a call without an id, which is not a notification', message({ id: undefined })),
  ...NOT_ACCEPTABLE.map((accept) =>
    row(`Accept: ${accept}`, ECHO_TEXT, { status: 406, code: -32000, id: 1 }, { ...LEGACY, accept }),
  ),
  ...['', '1999-01-01', '2025-11-25, 2025-06-18'].map((version) =>
    row(`version ${JSON.stringify(version)}`, ECHO_TEXT, { id: 1 }, { 'mcp-protocol-version': version }),
  ),
  ...['x', '2026-07-28', '2027-01-01', 'DRAFT-2026-v1'].map((version) =>
    row(`version ${JSON.stringify(version)} without its envelope`, ECHO_TEXT, BAD_PARAMS, {
      'mcp-protocol-version': version,
    }),
  ),
];

export const NAMES: readonly MessageCase[] = [
  ...[undefined, 5, null, {}, ['echo'], true].map((name) =>
    row(`name ${JSON.stringify(name)}`, message({ params: { ...ECHO, name } }), BAD_PARAMS),
  ),
  ...[
    '',
    ' ',
    'x'.repeat(10_240),
    '\u0435cho',
    '\uff45cho',
    'echo ',
    ' echo',
    'ECHO',
    'Echo',
    'echo\0',
    'echo\u200b',
    'echo\nopen',
    'toString',
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'tool:echo',
    'prompt:greet',
    'resource:handbook',
    'greet',
    'handbook',
    '*',
    '../echo',
    'echo,open',
    '\ud800',
    '%65cho',
    '=?base64?ZWNobw==?=',
  ].map((name) =>
    row(`name ${JSON.stringify(name.slice(0, 30))}`, message({ params: { ...ECHO, name } }), NO_TOOL),
  ),
  ...['{"text":"hello"}', ['hello'], 5, true].map((args) =>
    row(
      `arguments ${JSON.stringify(args)}`,
      message({ params: { name: 'echo', arguments: args } }),
      BAD_PARAMS,
    ),
  ),
];

const modern = (name: string, params: object, expected: Expected, headers: Headers, method = 'tools/call') =>
  row(name, message({ method, params }), expected, headers);
const call = { ...ECHO, _meta: META };
const without = (headers: Headers, name: string): Headers =>
  Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));
const echoHeaders = (change: Headers = {}) => modernHeaders('tools/call', 'echo', change);

export const CONTRADICTIONS: readonly MessageCase[] = [
  ...NOT_ACCEPTABLE.map((accept) =>
    modern(`Accept: ${accept}`, call, { status: 406, code: -32000, id: 1 }, echoHeaders({ accept })),
  ),
  ...['mcp-protocol-version', 'mcp-method', 'mcp-name'].map((name) =>
    modern(`${name} missing`, call, MISMATCH, without(echoHeaders(), name)),
  ),
  ...(
    [
      ['mcp-protocol-version', '2025-11-25'],
      ['mcp-protocol-version', '2027-01-01'],
      ['mcp-protocol-version', ''],
      ['mcp-protocol-version', `${MODERN}, 2025-11-25`],
      ['mcp-method', 'tools/list'],
      ['mcp-method', 'TOOLS/CALL'],
      ['mcp-method', 'tools/call, tools/list'],
      ['mcp-method', ''],
      ['mcp-name', 'open'],
      ['mcp-name', 'ECHO'],
      ['mcp-name', ''],
      ['mcp-name', 'echo, open'],
      ['mcp-name', '%65cho'],
      ['mcp-name', '=?base64?b3Blbg==?='],
      ['mcp-name', '=?base64?ZWNobw?='],
      ['mcp-name', '=?base64?ZWNobx==?='],
      ['mcp-name', '=?base64?ZWNo bw==?='],
      ['mcp-name', '=?base64?!!!?='],
      ['mcp-name', '=?base64??='],
      ['mcp-name', '=?base64?/w==?='],
      ['mcp-name', '=?BASE64?ZWNobw==?='],
      ['mcp-name', '=?base64?PT9iYXNlNjQ/WldOb2J3PT0/PQ==?='],
    ] as const
  ).map(([name, value]) => modern(`${name}: ${value}`, call, MISMATCH, echoHeaders({ [name]: value }))),
  modern(
    'a name that looks encoded, sent unchanged',
    { ...call, name: '=?base64?ZWNobw==?=' },
    MISMATCH,
    modernHeaders('tools/call', '=?base64?ZWNobw==?='),
  ),
  modern(
    'a name that looks encoded, sent decoded',
    { ...call, name: '=?base64?ZWNobw==?=' },
    MISMATCH,
    echoHeaders(),
  ),
  modern('Mcp-Name beside an empty name', { ...call, name: '' }, MISMATCH, echoHeaders()),
  ...[undefined, 5, {}].map((name) =>
    modern(`Mcp-Name beside name ${JSON.stringify(name)}`, { ...call, name }, BAD_PARAMS, echoHeaders()),
  ),
  modern('_meta missing', ECHO, BAD_PARAMS, echoHeaders()),
  modern('_meta empty', { ...ECHO, _meta: {} }, BAD_PARAMS, echoHeaders()),
  modern('_meta null', { ...ECHO, _meta: null }, BAD_PARAMS, echoHeaders()),
  ...['x', []].map((_meta) =>
    modern(`_meta ${JSON.stringify(_meta)}`, { ...ECHO, _meta }, { id: 1 }, echoHeaders()),
  ),
  modern(
    '_meta without capabilities',
    { ...ECHO, _meta: { 'io.modelcontextprotocol/protocolVersion': MODERN } },
    BAD_PARAMS,
    echoHeaders(),
  ),
  modern(
    '_meta without a version',
    { ...ECHO, _meta: { 'io.modelcontextprotocol/clientCapabilities': {} } },
    BAD_PARAMS,
    echoHeaders(),
  ),
  modern(
    '_meta with a number as version',
    { ...ECHO, _meta: { ...META, 'io.modelcontextprotocol/protocolVersion': 5 } },
    BAD_PARAMS,
    echoHeaders(),
  ),
  modern(
    '_meta of an older version',
    { ...ECHO, _meta: { ...META, 'io.modelcontextprotocol/protocolVersion': '2025-11-25' } },
    MISMATCH,
    echoHeaders(),
  ),
  modern(
    '_meta and header of a future version',
    { ...ECHO, _meta: { ...META, 'io.modelcontextprotocol/protocolVersion': '2099-01-01' } },
    { code: -32022, id: 1 },
    echoHeaders({ 'mcp-protocol-version': '2099-01-01' }),
  ),
  modern(
    'initialize under a modern header',
    { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
    MISMATCH,
    modernHeaders('initialize'),
    'initialize',
  ),
  ...[
    'initialize',
    'ping',
    'logging/setLevel',
    'resources/subscribe',
    'resources/unsubscribe',
    'tasks/get',
    'nope',
    'toString',
  ].map((method) =>
    modern(`removed or unknown method ${method}`, { _meta: META }, NO_METHOD, modernHeaders(method), method),
  ),
  row('a call without an id', { jsonrpc: '2.0', method: 'tools/call', params: call }, {}, echoHeaders()),
];

/** Parameters that the SDK would validate: the gateway rejects them with its own message and record. */
export const PARAMETERS: readonly MessageCase[] = [
  modern(
    'cursor a number',
    { _meta: META, cursor: 5 },
    BAD_PARAMS,
    modernHeaders('tools/list'),
    'tools/list',
  ),
  modern(
    'completion without an argument',
    { _meta: META, ref: { type: 'ref/prompt', name: 'greet' } },
    BAD_PARAMS,
    modernHeaders('completion/complete'),
    'completion/complete',
  ),
  modern(
    'completion of a number',
    { _meta: META, ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 5, value: {} } },
    BAD_PARAMS,
    modernHeaders('completion/complete'),
    'completion/complete',
  ),
  modern(
    'completion of a string',
    { _meta: META, ref: 'greet', argument: { name: 'name', value: 'A' } },
    BAD_PARAMS,
    modernHeaders('completion/complete'),
    'completion/complete',
  ),
  modern(
    'prompt argument a number',
    { _meta: META, name: 'greet', arguments: { name: 5 } },
    BAD_PARAMS,
    modernHeaders('prompts/get', 'greet'),
    'prompts/get',
  ),
  modern(
    'subscription without a filter',
    { _meta: META },
    BAD_PARAMS,
    modernHeaders('subscriptions/listen'),
    'subscriptions/listen',
  ),
  modern(
    'a state that this server did not seal',
    { ...call, name: 'ask', arguments: {}, requestState: 'forged.state' },
    BAD_PARAMS,
    modernHeaders('tools/call', 'ask'),
  ),
  modern(
    'a state that is a number',
    { ...call, name: 'ask', arguments: {}, requestState: 5 },
    BAD_PARAMS,
    modernHeaders('tools/call', 'ask'),
  ),
  row('initialize without params', message({ method: 'initialize', params: undefined }), BAD_PARAMS, {}),
  row(
    'initialize with a number as version',
    message({
      method: 'initialize',
      params: { protocolVersion: 5, capabilities: {}, clientInfo: { name: 'x', version: '1' } },
    }),
    BAD_PARAMS,
    {},
  ),
  row('an unknown log level', message({ method: 'logging/setLevel', params: { level: 'loud' } }), BAD_PARAMS),
];

/** Arguments that violate the schema of `echo`. The response must not repeat their values. */
export const ARGUMENTS: readonly [name: string, args: string][] = [
  ['nothing', '{}'],
  ['text a number', '{"text":5}'],
  ['text null', '{"text":null}'],
  ['text a list', '{"text":["hello"]}'],
  ['text an object', '{"text":{"toString":"hello"}}'],
  ['text 64 levels deep', `{"text":${lists(61)}}`],
  ['text too long', `{"text":"${'x'.repeat(2001)}"}`],
  ['times too large', '{"text":"hello","times":11}'],
  ['times a string', '{"text":"hello","times":"1"}'],
  ['times 1e999', '{"text":"hello","times":1e999}'],
  ['times 0.5', '{"text":"hello","times":0.5}'],
  ['an undeclared field', '{"text":"hello","extra":1}'],
  ['a field with an empty name', '{"text":"hello","":1}'],
  ['a field with a long name', `{"text":"hello","${'k'.repeat(5000)}":1}`],
  ...[
    'then',
    'toJSON',
    'length',
    '__type',
    'toString',
    'valueOf',
    'hasOwnProperty',
    'isPrototypeOf',
    '__defineGetter__',
    '__lookupSetter__',
  ].map((name): [string, string] => [`an undeclared field, ${name}`, `{"text":"hello","${name}":1}`]),
];
