import fc from 'fast-check';
import {
  renderCompletion,
  renderPrompt,
  renderResource,
  renderToolFailure,
  renderToolResult,
} from './render-result.js';
import { InputRequired, ToolResult } from './results.js';

const text = (value: string) => ({ type: 'text', text: value });
const image = { type: 'image', data: 'AA==', mimeType: 'image/png' } as const;

class Customer {
  readonly name = 'Ada';
  readonly left = undefined;
  readonly since = new Date(0);
}

const ADA = { name: 'Ada', since: '1970-01-01T00:00:00.000Z' };

it.each<[string, unknown, object]>([
  ['nothing', undefined, { content: [] }],
  ['a text', 'hello', { content: [text('hello')] }],
  ['an empty text', '', { content: [text('')] }],
  ['a number', 5, { content: [text('5')] }],
  ['no', false, { content: [text('false')] }],
  ['null', null, { content: [text('null')] }],
  ['a list', [1, { a: 2 }], { content: [text('[1,{"a":2}]')] }],
  ['an object', { a: 1 }, { content: [text('{"a":1}')], structuredContent: { a: 1 } }],
  ['an empty object', {}, { content: [text('{}')], structuredContent: {} }],
  ['an instance', new Customer(), { content: [text(JSON.stringify(ADA))], structuredContent: ADA }],
  ['a result in MCP terms', new ToolResult([image]), { content: [image] }],
  [
    'a result with both',
    new ToolResult([image], { a: 1 }),
    { content: [image], structuredContent: { a: 1 } },
  ],
])('renders a tool result of %s', (_name, value, result) => {
  expect(renderToolResult(value)).toStrictEqual({ kind: 'result', result });
});

it('renders the same data as text and as structured content', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const { result } = renderToolResult(value) as unknown as {
        result: { content: [{ text: string }]; structuredContent: unknown };
      };
      expect(JSON.parse(result.content[0].text)).toEqual(result.structuredContent);
      expect(JSON.stringify(result.structuredContent)).toBe(JSON.stringify(value));
    }),
  );
});

it.each([() => 1, 5n, Symbol('s')])('rejects a tool result without a JSON form: %p', (value) => {
  expect(() => renderToolResult(value)).toThrow();
});

it('marks a failure with isError', () => {
  expect(renderToolFailure('no', 'd1')).toEqual({
    content: [text('no')],
    isError: true,
    _meta: { decision_id: 'd1' },
  });
});

it.each<[unknown, string | undefined, object[]]>([
  ['hello', undefined, [{ uri: 'docs://a', text: 'hello' }]],
  ['hello', 'text/plain', [{ uri: 'docs://a', mimeType: 'text/plain', text: 'hello' }]],
  [new Uint8Array([0, 255]), 'x/y', [{ uri: 'docs://a', mimeType: 'x/y', blob: 'AP8=' }]],
  [Buffer.from('hi'), undefined, [{ uri: 'docs://a', blob: 'aGk=' }]],
  [{ a: 1 }, 'application/json', [{ uri: 'docs://a', mimeType: 'application/json', text: '{"a":1}' }]],
  [[{ uri: 'docs://b', text: 'own' }], 'text/plain', [{ uri: 'docs://b', text: 'own' }]],
])('renders a resource result of %p as %s', (value, mimeType, contents) => {
  expect(renderResource(value, 'docs://a', mimeType)).toStrictEqual({ kind: 'result', result: { contents } });
});

it.each<[unknown, unknown, object]>([
  ['hello', undefined, { messages: [{ role: 'user', content: text('hello') }] }],
  ['hello', 'Greets', { description: 'Greets', messages: [{ role: 'user', content: text('hello') }] }],
  [[{ role: 'assistant', content: image }], undefined, { messages: [{ role: 'assistant', content: image }] }],
])('renders a prompt result of %j with the description %s', (value, description, result) => {
  expect(renderPrompt(value, description)).toStrictEqual({ kind: 'result', result });
});

it('passes an input request of each method through', () => {
  const question = new InputRequired({ name: { method: 'elicitation/create' } });
  const expected = { kind: 'inputRequired', question };
  expect(renderToolResult(question)).toEqual(expected);
  expect(renderResource(question, 'docs://a', undefined)).toEqual(expected);
  expect(renderPrompt(question, 'Greets')).toEqual(expected);
});

const hundred = Array.from({ length: 100 }, (_, at) => String(at));

it.each([
  [[], [], 0, false],
  [['a', 5, null, 'b'], ['a', 'b'], 2, false],
  [undefined, [], 0, false],
  ['text', [], 0, false],
  [hundred, hundred, 100, false],
  [[...hundred, 'more'], hundred, 101, true],
])('limits %j to 100 suggestions, all of them strings', (values, shown, total, hasMore) => {
  expect(renderCompletion(values)).toEqual({ completion: { values: shown, total, hasMore } });
});
