import { NO_REQUIREMENTS } from '../core/decision.js';
import type { Message } from '../core/request-context.js';
import type { JsonObject } from '../lib/json.js';
import type { TargetRegistry, ProtectedTarget } from './access-rule.js';
import { operationOf } from './operation.js';

function target(kind: ProtectedTarget['kind'], name: string): ProtectedTarget {
  return { kind, name, rule: { ...NO_REQUIREMENTS, allowWorkload: false, source: `${kind} ${name}` } };
}

const TOOL = target('tool', 'same');
const PROMPT = target('prompt', 'same');
const PAGE = target('resource', 'page');

const catalogue: TargetRegistry = {
  find: (kind, name) => [TOOL, PROMPT, PAGE].find((one) => one.kind === kind && one.name === name),
  list: () => [],
  all: () => [],
  findResourceByUri: (uri) => (uri.startsWith('docs://') ? PAGE : undefined),
};

function asked(method: string, params: JsonObject) {
  const message: Message = { id: 1, method, params, era: 'modern', body: {} };
  return operationOf(message, catalogue);
}

it.each<[string, JsonObject, object]>([
  ['tools/call', { name: 'same', arguments: { a: 1 } }, { target: TOOL, arguments: { a: 1 } }],
  ['tools/call', { name: 'same' }, { target: TOOL, arguments: undefined }],
  ['tools/call', { name: 'other' }, { target: { kind: 'tool', name: 'other' }, arguments: undefined }],
  ['tools/call', { name: 'page' }, { target: { kind: 'tool', name: 'page' }, arguments: undefined }],
  ['tools/call', { name: '' }, { target: { kind: 'tool', name: '' }, arguments: undefined }],
  ['prompts/get', { name: 'same', arguments: {} }, { target: PROMPT, arguments: {} }],
  ['prompts/get', { name: 'other' }, { target: { kind: 'prompt', name: 'other' }, arguments: undefined }],
  ...['resources/read', 'resources/subscribe', 'resources/unsubscribe'].flatMap(
    (method): [string, JsonObject, object][] => [
      [method, { uri: 'docs://a' }, { target: PAGE, arguments: { uri: 'docs://a' } }],
      [
        method,
        { uri: 'page', more: 1 },
        { target: { kind: 'resource', name: 'page' }, arguments: { uri: 'page' } },
      ],
    ],
  ),
  [
    'completion/complete',
    { ref: { type: 'ref/prompt', name: 'same' }, argument: { name: 'a', value: 'b' } },
    { target: PROMPT, arguments: { name: 'a', value: 'b' } },
  ],
  [
    'completion/complete',
    { ref: { type: 'ref/resource', uri: 'docs://{x}', name: 'same' } },
    { target: PAGE, arguments: undefined },
  ],
])('operationOf: %s %j is a call', (method, params, expected) => {
  const operation = asked(method, params);
  expect(operation).toMatchObject({ kind: 'call', ...expected });
  // Conditions see exactly the arguments of the execution.
  const isCompletion = method === 'completion/complete';
  const { arguments: sent } = operation as { arguments?: JsonObject };
  expect(operation).toHaveProperty('conditionArguments', isCompletion ? undefined : (sent ?? {}));
});

it.each([
  ['tools/list', 'tools'],
  ['prompts/list', 'prompts'],
  ['resources/list', 'resources'],
  ['resources/templates/list', 'resourceTemplates'],
])('operationOf: %s lists %s', (method, of) => {
  expect(asked(method, { name: 'same' })).toEqual({ kind: 'list', of });
});

it.each([
  'server/discover',
  'initialize',
  'ping',
  'notifications/cancelled',
  'Tools/call',
  'constructor',
  '',
])('operationOf: %j is neither call nor list', (method) => {
  expect(asked(method, { name: 'same' })).toEqual({ kind: 'protocol' });
});

it.each<[string, JsonObject]>([
  ['tools/call', {}],
  ['tools/call', { name: 5 }],
  ['tools/call', { name: ['same'] }],
  ['tools/call', { name: 'same', arguments: [] }],
  ['tools/call', { name: 'same', arguments: 'text' }],
  ['tools/call', { name: 'same', arguments: null }],
  ['prompts/get', { name: null }],
  ['prompts/get', { name: 'same', arguments: 5 }],
  ['resources/read', {}],
  ['resources/read', { uri: {} }],
  ['resources/subscribe', { uri: null }],
  ['completion/complete', {}],
  ['completion/complete', { ref: null }],
  ['completion/complete', { ref: 'ref/prompt' }],
  ['completion/complete', { ref: { type: 'ref/tool', name: 'same', uri: 'docs://a' } }],
  ['completion/complete', { ref: { type: 'ref/prompt' } }],
  ['completion/complete', { ref: { type: 'ref/resource', name: 'same' } }],
])('operationOf rejects %s %j', (method, params) => {
  expect(() => asked(method, params)).toThrow(
    expect.objectContaining({ code: 'request_malformed', status: 400, rpcCode: -32602 }),
  );
});
