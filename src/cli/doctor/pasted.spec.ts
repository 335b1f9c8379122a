import fc from 'fast-check';
import { readPasted } from './pasted.js';

const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln-_bmF0dXJl';

it.each<[string, string, readonly string[]]>([
  ['as it is', TOKEN, []],
  ['with a final line break', `${TOKEN}\n`, []],
  ['with a CRLF line break and a byte order mark', `\ufeff${TOKEN}\r\n`, []],
  ['in quotes', `"${TOKEN}"`, ['quotes']],
  ['in the quotes of a word processor', `“${TOKEN}”`, ['quotes']],
  ['with its scheme', `Bearer ${TOKEN}`, ['the scheme name']],
  ['with another scheme', `DPoP  ${TOKEN}`, ['the scheme name']],
  ['from a header', `Authorization: Bearer ${TOKEN}`, ['the header name', 'the scheme name']],
  ['from a JSON member', `"${TOKEN}",`, ['a comma or semicolon', 'quotes']],
  ['with spaces', `  ${TOKEN}\t`, ['spaces']],
  ['with a space that has no width', `\u200b${TOKEN}`, ['spaces']],
  ['in two lines', TOKEN.replace('.', '.\n  '), ['line breaks or spaces inside']],
  [
    'from a token response',
    JSON.stringify({ token_type: 'Bearer', access_token: TOKEN, id_token: 'other' }, null, 2),
    ['the JSON of a token response'],
  ],
])('extracts the token %s', (_how, text, removed) => {
  const pasted = readPasted(text);
  expect(pasted.token).toBe(TOKEN);
  expect([...pasted.removed].sort()).toEqual([...removed].sort());
});

it('leaves JSON without an access token unchanged', () => {
  expect(readPasted('{"id_token":"x"}').token).toBe('{"id_token":"x"}');
  expect(readPasted('{"access_token":7}').token).toBe('{"access_token":7}');
});

it('leaves every text that a header can carry unchanged', () => {
  const token68 = fc.stringMatching(/^[A-Za-z0-9\-._~+/]{1,80}={0,2}$/);
  fc.assert(fc.property(token68, (token) => expect(readPasted(token)).toEqual({ token, removed: [] })));
});
