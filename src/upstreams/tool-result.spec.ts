import { toToolResult } from './tool-result.js';

it('does not change a readable result', () => {
  const answer = {
    content: [
      { type: 'text', text: 'x', annotations: { priority: 1 } },
      { type: 'image', data: 'AA==', mimeType: 'image/png' },
      { type: 'audio', data: 'AA==', mimeType: 'audio/wav' },
      { type: 'resource_link', uri: 'file:///x', name: 'x', more: 1 },
      { type: 'resource', resource: { uri: 'file:///x', blob: 'AA==' } },
    ],
    structuredContent: { a: [1, { b: null }] },
    isError: true,
    vendor: { kept: true },
  };
  expect(toToolResult(answer)).toBe(answer);
});

it.each([
  { type: 'hologram', data: 'AA==' },
  { type: 'image', data: 7, mimeType: 'image/png' },
  { type: 'text' },
  { type: 'resource', resource: { uri: 'x' } },
  { type: 'toString' },
  { type: 'image', data: '###', mimeType: 'image/png' },
  { type: 'text', text: 'x', _meta: 5 },
  { type: 'text', text: 'x', annotations: { priority: 'high' } },
  {},
])('shows unknown content as JSON: %j', (part) => {
  const known = { type: 'text', text: 'x' };
  expect(toToolResult({ content: [known, part] }).content).toEqual([
    known,
    { type: 'text', text: JSON.stringify(part) },
  ]);
});

it.each([
  {},
  { content: 'text' },
  { content: [null] },
  { content: [[]] },
  { content: [], isError: 'yes' },
  { content: [], _meta: 'text' },
  { content: [], _meta: [1] },
  { content: [], resultType: 'input_required', inputRequests: {}, requestState: 's' },
])('rejects an invalid result: %j', (answer) => {
  expect(() => toToolResult(answer as never)).toThrow('invalid result');
});

it('reads null as unset, and shows structured content that is not an object as text', () => {
  const text = { type: 'text', text: 'x', _meta: { a: null } };
  const unset = { isError: null, _meta: null, structuredContent: null, resultType: null };
  expect(toToolResult({ content: [text], ...unset })).toEqual({ content: [text] });
  for (const structuredContent of [[1, null], 'x y', 7, false]) {
    const shown = { type: 'text', text: JSON.stringify(structuredContent) };
    expect(toToolResult({ content: [text], structuredContent })).toEqual({ content: [text, shown] });
    expect(toToolResult({ content: [shown], structuredContent })).toEqual({ content: [shown] });
  }
});

it('keeps server information of upstream and gateway apart', () => {
  const answer = {
    content: [],
    _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'x', version: '1' }, a: 1 },
  };
  expect(toToolResult(answer)).toEqual({ content: [], _meta: { a: 1 } });
});

it('rejects deep nesting', () => {
  const structuredContent = JSON.parse(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`) as object;
  expect(() => toToolResult({ content: [], structuredContent } as never)).toThrow('invalid result');
});
