import { namesAnotherIssuer, readJwt } from './read-jwt.js';

const ISSUER = 'https://opaque.example.com';
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const tokenOf = (iss: string) =>
  `${encoded({ alg: 'RS256', kid: 'k' })}.${encoded({ iss, sub: 'alice', exp: 1 })}.c2lnbmF0dXJl`;
const JWT = tokenOf('https://login.example.com');
const [HEADER = '', PAYLOAD = ''] = JWT.split('.');

it('readJwt omits null claims and keeps a null audience', () => {
  const claims = { iss: 'i', sub: null, aud: null, exp: null, nbf: null, act: { sub: 'a', act: null } };
  const token = `${encoded({ alg: 'RS256', kid: null })}.${encoded(claims)}.c2lnbmF0dXJl`;
  expect(readJwt(token)).toEqual({
    header: { alg: 'RS256', kid: null },
    claims: { iss: 'i', aud: null, act: { sub: 'a' } },
  });
});

it.each([
  ['padded', `${JWT}=`],
  ['with an end', `${JWT}.`],
  ['with a beginning', `.${JWT}`],
  ['with a character in front', `x${JWT}`],
  ['with a fourth part', `${JWT}.x`],
  ['with a tilde', `${JWT}~abc~`],
  ['with a plus in a part', `${HEADER}.${PAYLOAD}+.x`],
  ['with a header that is none', `eyJ.${PAYLOAD}.x`],
  ['without a signature', `${HEADER}.${PAYLOAD}`],
  ['the payload alone', PAYLOAD],
  ['the payload shifted', `abc${PAYLOAD}`],
  ['an encrypted one', `${encoded({ alg: 'dir', iss: 'https://login.example.com' })}.a.b.c.d`],
  [
    'with an escaped slash',
    encoded({}) + '.' + Buffer.from('{"iss":"https:\\/\\/login.example.com"}').toString('base64url'),
  ],
])('namesAnotherIssuer detects %s', (_, text) => {
  expect(namesAnotherIssuer(text, ISSUER)).toBe(true);
});

it.each([
  ['a random text', 'mF_9.B5f-4.1JqM'],
  ['nothing', ''],
  ['dots', '....'],
  ['one that names its own issuer', `${tokenOf(ISSUER)}.`],
  [
    'one that names its own issuer, escaped',
    Buffer.from('{"iss":"https:\\/\\/opaque.example.com"}').toString('base64url'),
  ],
  ['JSON without an issuer', encoded({ sub: 'alice' })],
])('namesAnotherIssuer ignores %s', (_, text) => {
  expect(namesAnotherIssuer(text, ISSUER)).toBe(false);
});
