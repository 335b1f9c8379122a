import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { readProofKey } from './proof-key.js';

/** RFC 7638 section 3.1. */
const RFC7638 = {
  kty: 'RSA',
  n: [
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj',
    'hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ',
    'vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK',
    'nqDKgw',
  ].join(''),
  e: 'AQAB',
  alg: 'RS256',
  kid: '2011-04-29',
};

it('keeps the members and the thumbprint of the example of RFC 7638', async () => {
  const key = readProofKey(RFC7638, 'RS256');
  expect(key).toEqual({ kty: 'RSA', n: RFC7638.n, e: 'AQAB' });
  expect(await calculateJwkThumbprint(key)).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
});

it.each([
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
])('accepts a key for %s with additional members', async (alg) => {
  const { publicKey } = await generateKeyPair(alg, { extractable: true });
  const bare = await exportJWK(publicKey);
  expect(readProofKey({ ...bare, kid: 'k', x5u: 'https://a.example', ext: true }, alg)).toEqual(bare);
});

it.each(['HS256', 'none', 'ML-DSA-44', '__proto__', 'toString', ''])(
  'rejects a key for %j, also when the algorithm is accepted',
  (alg) => {
    expect(() => readProofKey({ kty: 'oct', k: 'AAAA' }, alg)).toThrow('no public key');
  },
);

it.each([
  ['2048 bits', 256, 0x80, true],
  ['2047 bits', 256, 0x7f, false],
  ['8192 bits', 1024, 0xff, true],
  ['8193 bits', 1025, 0x01, false],
])('an RSA key of %s', (_, bytes, first, taken) => {
  const n = Buffer.concat([Buffer.of(first), Buffer.alloc(bytes - 1, 0xff)]).toString('base64url');
  const read = () => readProofKey({ kty: 'RSA', n, e: 'AQAB' }, 'PS256');
  if (taken) expect(read).not.toThrow();
  else expect(read).toThrow('does not fit');
});
