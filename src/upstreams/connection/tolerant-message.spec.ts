import fc from 'fast-check';
import { tolerantEvents, tolerantJson } from './tolerant-body.js';
import { CONTRADICTION, tolerant } from './tolerant-message.js';

const answer = (more: object) => ({ jsonrpc: '2.0', id: 1, ...more });
const WITHOUT_VERSION = answer({
  result: {
    protocolVersion: '2025-06-18',
    capabilities: null,
    serverInfo: { name: 'x', title: null },
    instructions: null,
  },
});

it.each<[string, object, object]>([
  ['error beside a result', { result: { a: null }, error: null }, { result: { a: null } }],
  [
    'result beside an error',
    { error: { code: 1, message: 'x', data: null }, result: null },
    { error: { code: 1, message: 'x', data: null } },
  ],
  ['method and params beside a result', { result: {}, method: null, params: null }, { result: {} }],
  [
    'members of a list',
    { result: { tools: [{ name: 'x', title: null }], nextCursor: null, _meta: null } },
    { result: { tools: [{ name: 'x', title: null }] } },
  ],
  [
    'members of a result',
    { result: { content: [], isError: null, structuredContent: null } },
    { result: { content: [] } },
  ],
  [
    'capabilities',
    {
      result: {
        protocolVersion: 'x',
        capabilities: { tools: {}, logging: null },
        serverInfo: { name: 'x', version: 2 },
      },
    },
    {
      result: { protocolVersion: 'x', capabilities: { tools: {} }, serverInfo: { name: 'x', version: '2' } },
    },
  ],
  [
    'everything of a handshake',
    WITHOUT_VERSION,
    { result: { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 'x', version: '' } } },
  ],
  [
    'a server without a name',
    { result: { protocolVersion: 'x', serverInfo: null } },
    {
      result: { protocolVersion: 'x', capabilities: {}, serverInfo: { name: 'without a name', version: '' } },
    },
  ],
])('reads null as unset: %s', (_what, given, expected) => {
  expect(tolerant(answer(given))).toEqual(answer(expected));
});

it('keeps null in unknown notifications, and drops their params', () => {
  expect(tolerant({ jsonrpc: '2.0', method: 'x', params: null })).toEqual({ jsonrpc: '2.0', method: 'x' });
  expect(tolerant({ jsonrpc: '2.0', method: 'x', params: { _meta: null, a: null } })).toEqual({
    jsonrpc: '2.0',
    method: 'x',
    params: { a: null },
  });
});

it.each([{ id: 1 }, { id: 'a' }])('reads an answer with result and error as an error: %j', ({ id }) => {
  const both = { jsonrpc: '2.0', id, result: { content: [] }, error: { code: 1, message: 'x' } };
  expect(tolerant(both)).toEqual({
    jsonrpc: '2.0',
    id,
    error: { code: CONTRADICTION, message: 'The answer contains both a result and an error' },
  });
});

it.each([
  answer({
    result: { content: [{ type: 'text', text: 'x', annotations: null }], structuredContent: { error: null } },
  }),
  answer({ result: { protocolVersion: null } }),
  answer({ error: 'x' }),
  { jsonrpc: '2.0', id: null, error: { code: 1, message: 'x' } },
  { jsonrpc: '2.0', method: 'notifications/message', params: { data: null } },
])('does not change the message %j', (message) => {
  expect(tolerant(message)).toBe(message);
  expect(tolerantJson(JSON.stringify(message, null, 2))).toBe(JSON.stringify(message, null, 2));
});

it.each(['', '{', 'null', '[{"error": null}]', '"error": null'])(
  'does not change text that is not a message: %j',
  (text) => {
    expect(tolerantJson(text)).toBe(text);
  },
);

describe('tolerantEvents', () => {
  async function through(text: string, cuts: readonly number[]): Promise<string> {
    const bytes = new TextEncoder().encode(text);
    const at = [0, ...[...cuts].map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
    const chunks = at.slice(1).map((end, index) => bytes.slice(at[index], end));
    const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        chunks.forEach((chunk) => controller.enqueue(chunk));
        controller.close();
      },
    });
    return new Response(source.pipeThrough(tolerantEvents() as never)).text();
  }

  it('repairs messages of a stream with any chunks and line ends', async () => {
    const odd = answer({ result: { text: 'h\u00e9 \ud83d\ude00' }, error: null });
    const lines = [
      ': ping',
      '',
      'event: message',
      'id: 7',
      `data: ${JSON.stringify(odd)}`,
      '',
      'data: {"jsonrpc":"2.0","id":2,',
      'data:  "result":{},"error":null}',
      '',
      'data: left',
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.nat(), { maxLength: 6 }),
        async (end, cuts) => {
          const { error: _unset, ...plain } = odd as Record<string, unknown>;
          expect(await through(lines.join(end), cuts)).toBe(
            `\n\nevent: message\nid: 7\ndata: ${JSON.stringify(plain)}\n\ndata: {"jsonrpc":"2.0","id":2,"result":{}}\n\ndata: left`,
          );
        },
      ),
      { numRuns: 200 },
    );
  });
});
