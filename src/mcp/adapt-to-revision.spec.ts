import { adaptToRevision } from './adapt-to-revision.js';

const result = {
  content: [
    { type: 'text', text: 'x' },
    { type: 'audio', data: 'AA==', mimeType: 'audio/wav' },
    { type: 'resource_link', uri: 'file:///a', name: 'a' },
  ],
  structuredContent: { a: 1 },
};
const link = { type: 'text', text: 'a: file:///a' };
const sound = { type: 'text', text: '[audio, audio/wav]' };

it.each([
  ['2025-11-25', result.content],
  ['2025-06-18', result.content],
  ['2025-03-26', [result.content[0], result.content[1], link]],
  ['2024-11-05', [result.content[0], sound, link]],
])('keeps for %s the content of its revision', (revision, content) => {
  expect(adaptToRevision(result, revision)).toEqual({ ...result, content });
});

it('does not change results without content', () => {
  expect(adaptToRevision({ messages: [] }, '2024-11-05')).toEqual({ messages: [] });
});
