import fc from 'fast-check';
import { isJsonObject, type JsonObject } from '../lib/json.js';
import { dropNullMembers } from './drop-null-members.js';

const VERSION = 'io.modelcontextprotocol/protocolVersion';
const INFO = 'io.modelcontextprotocol/clientInfo';
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';

const call = (params: unknown): JsonObject => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });

describe('dropNullMembers', () => {
  it.each<[string, unknown, unknown]>([
    ['the cursor', { cursor: null }, {}],
    ['the arguments', { name: 'a', arguments: null }, { name: 'a' }],
    ['the metadata', { name: 'a', _meta: null }, { name: 'a' }],
    [
      'state and responses',
      { name: 'a', requestState: null, inputResponses: null, task: null },
      { name: 'a' },
    ],
    ['the progress token', { _meta: { progressToken: null } }, { _meta: {} }],
    ['the trace', { _meta: { traceparent: null, tracestate: null, baggage: null } }, { _meta: {} }],
    ['the client', { _meta: { [INFO]: null } }, { _meta: {} }],
    [
      'members of the client',
      { _meta: { [INFO]: { name: 'a', title: null } } },
      { _meta: { [INFO]: { name: 'a' } } },
    ],
    ['members of clientInfo', { clientInfo: { name: 'a', icons: null } }, { clientInfo: { name: 'a' } }],
    [
      'capabilities at each level',
      {
        capabilities: {
          roots: { listChanged: null },
          sampling: null,
          tasks: { requests: { sampling: null } },
        },
      },
      { capabilities: { roots: {}, tasks: { requests: {} } } },
    ],
    [
      'capabilities in the envelope',
      { _meta: { [CAPABILITIES]: { elicitation: { form: null, url: {} } } } },
      { _meta: { [CAPABILITIES]: { elicitation: { url: {} } } } },
    ],
    [
      'members of a completion',
      { ref: { title: null }, context: { arguments: null } },
      { ref: {}, context: {} },
    ],
    ['a filter', { notifications: { toolsListChanged: null } }, { notifications: {} }],
  ])('removes %s where null stands for absent', (_what, params, expected) => {
    expect(dropNullMembers(call(params))).toEqual(call(expected));
  });

  it('removes the parameters', () => {
    expect(dropNullMembers(call(null))).toEqual({ jsonrpc: '2.0', id: 1, method: 'tools/call' });
  });

  it.each<[string, JsonObject]>([
    ['members of the arguments', call({ name: 'a', arguments: { a: null, b: { c: null } } })],
    ['members of the responses', call({ inputResponses: { a: null } })],
    ['the id', { jsonrpc: '2.0', id: null, method: 'ping' }],
    ['a result', { jsonrpc: '2.0', id: 1, result: null }],
    ['an error', { jsonrpc: '2.0', id: 1, error: null }],
    ['the method', { jsonrpc: '2.0', id: 1, method: null }],
    ['a required member of the envelope', call({ _meta: { [VERSION]: null, [CAPABILITIES]: null } })],
    ['metadata outside the specification', call({ _meta: { 'example.com/a': null, a: { b: null } } })],
    [
      'experimental capabilities',
      call({ capabilities: { experimental: { a: null }, extensions: { b: null } } }),
    ],
    ['members of a list', call([null])],
    ['members of what only looks like a list of capabilities', call({ capabilities: [null] })],
  ])('keeps null in %s', (_what, body) => {
    expect(dropNullMembers(body)).toBe(body);
  });

  it('changes only null members, never its input, and nothing on a second pass', () => {
    const keys = fc.constantFrom(
      'params',
      '_meta',
      'capabilities',
      'clientInfo',
      'arguments',
      'a',
      VERSION,
      INFO,
    );
    const { tree } = fc.letrec<{ tree: unknown; node: unknown }>((tie) => ({
      tree: fc.dictionary(keys, tie('node'), { maxKeys: 4 }),
      node: fc.oneof({ depthSize: 'small' }, fc.constantFrom<unknown>(null, 1, 'x', [], [null]), tie('tree')),
    }));
    const pruned = (value: unknown): unknown =>
      isJsonObject(value)
        ? Object.fromEntries(
            Object.entries(value).flatMap(([name, one]) => (one === null ? [] : [[name, pruned(one)]])),
          )
        : value;
    fc.assert(
      fc.property(tree, (value) => {
        const body = value as JsonObject;
        const before = structuredClone(body);
        const after = dropNullMembers(body);
        expect(body).toEqual(before);
        expect(pruned(after)).toEqual(pruned(body));
        expect(dropNullMembers(after)).toBe(after);
        const { params } = body as { params?: JsonObject };
        if (params && !Array.isArray(params) && params.arguments !== null) {
          expect((after.params as JsonObject | undefined)?.arguments).toBe(params.arguments);
        }
      }),
    );
  });
});
