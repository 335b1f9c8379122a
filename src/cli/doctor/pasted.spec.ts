import fc from 'fast-check';
import { readPasted } from './pasted.js';

const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln-_bmF0dXJl';

it.each<[string, string, readonly string[]]>([
  ['as it is', TOKEN, []],
  ['with the end of a line, as echo has it', `${TOKEN}\n`, []],
  ['with that of another system, and a mark of the order of bytes', `\ufeff${TOKEN}\r\n`, []],
  ['in quotes', `"${TOKEN}"`, ['quotes']],
  ['in the quotes of a word processor', `“${TOKEN}”`, ['quotes']],
  ['with its scheme', `Bearer ${TOKEN}`, ['the name of the scheme']],
  ['with another scheme', `DPoP  ${TOKEN}`, ['the name of the scheme']],
  ['as a header', `Authorization: Bearer ${TOKEN}`, ['the name of a header', 'the name of the scheme']],
  ['as a member of JSON', `"${TOKEN}",`, ['a comma or semicolon', 'quotes']],
  ['with spaces', `  ${TOKEN}\t`, ['spaces']],
  ['with a space that has no width', `\u200b${TOKEN}`, ['spaces']],
  ['in two lines', TOKEN.replace('.', '.\n  '), ['line breaks or spaces inside']],
  [
    'as a token endpoint answers',
    JSON.stringify({ token_type: 'Bearer', access_token: TOKEN, id_token: 'other' }, null, 2),
    ['the JSON of a token answer'],
  ],
])('%s', (_how, text, removed) => {
  const pasted = readPasted(text);
  expect(pasted.token).toBe(TOKEN);
  expect([...pasted.removed].sort()).toEqual([...removed].sort());
});

it('JSON without an access token stays what it is', () => {
  expect(readPasted('{"id_token":"x"}').token).toBe('{"id_token":"x"}');
  expect(readPasted('{"access_token":7}').token).toBe('{"access_token":7}');
});

it('what a header can carry is left alone, whatever it is', () => {
  const token68 = fc.stringMatching(/^[A-Za-z0-9\-._~+/]{1,80}={0,2}$/);
  fc.assert(fc.property(token68, (token) => expect(readPasted(token)).toEqual({ token, removed: [] })));
});
