import fc from 'fast-check';
import { decodeJwt, decodeProtectedHeader, exportPKCS8, importJWK, jwtVerify } from 'jose';
import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { makeKey } from '../../../test/support/issuer.js';
import type { ClientSettings } from '../../config/settings.js';
import { clientAuthentication, ClientAuthenticationError } from './client-authentication.js';

const ISSUER = 'https://issuer.example/realm';

function credentials(authentication: ClientSettings['authentication'], clientId = 'gate') {
  return clientAuthentication({ clientId, authentication }, ISSUER)();
}

function keyed(key: string, algorithm: string, keyId?: string): ClientSettings['authentication'] {
  return { method: 'private_key_jwt', key, algorithm, keyId };
}

async function basicPair(clientId: string, secret: string): Promise<string> {
  const { headers, parameters } = await credentials({ method: 'client_secret_basic', secret }, clientId);
  expect(parameters).toEqual({});
  return Buffer.from((headers.authorization as string).replace(/^Basic /, ''), 'base64').toString('latin1');
}

describe('clientAuthentication: client_secret_basic', () => {
  it('matches the example of RFC 6749 section 2.3.1', async () => {
    const secret = '7Fjfp0ZBr1KtDRbnfVdmIw';
    expect(await credentials({ method: 'client_secret_basic', secret }, 's6BhdRkqt3')).toEqual({
      headers: { authorization: 'Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3' },
      parameters: {},
    });
  });

  it.each([
    ['gate', 'a b', 'gate:a+b'],
    ['gate', 'a+b', 'gate:a%2Bb'],
    ['a:b', 'c:d', 'a%3Ab:c%3Ad'],
    ['gate', '50%', 'gate:50%25'],
    ['gate', 'a&b=c', 'gate:a%26b%3Dc'],
    ['gäte', 'ß', 'g%C3%A4te:%C3%9F'],
    ['https://gate.example', '"\\', 'https%3A%2F%2Fgate.example:%22%5C'],
    // Many servers do not decode; these ids work with them too.
    ['0b5c7c1e-3a55-4d0c_x.y', 'A-Z_a.z*', '0b5c7c1e-3a55-4d0c_x.y:A-Z_a.z*'],
  ])('encodes %s and %s', async (id, secret, expected) => {
    expect(await basicPair(id, secret)).toBe(expected);
  });

  it('is reversible for random ids and secrets', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        async (clientId, secret) => {
          const halves = (await basicPair(clientId, secret)).split(':');
          const read = halves.map((half) => new URLSearchParams(`=${half}`).get(''));
          expect(read).toEqual([clientId, secret]);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

it('client_secret_post sends both in the body unchanged', async () => {
  expect(await credentials({ method: 'client_secret_post', secret: 'a b%' }, 'g te')).toEqual({
    headers: {},
    parameters: { client_id: 'g te', client_secret: 'a b%' },
  });
});

describe('clientAuthentication: private_key_jwt', () => {
  it.each(['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA'])('signs with %s', async (algorithm) => {
    const key = await makeKey('key-of-the-gate', algorithm);
    const pem = await exportPKCS8(key.privateKey);
    const before = Math.floor(Date.now() / 1000);
    const { headers, parameters } = await credentials(keyed(pem, algorithm, key.kid));
    expect(headers).toEqual({});
    const { client_assertion: jwt, ...others } = parameters;
    expect(others).toEqual({
      client_id: 'gate',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    });
    const verified = await jwtVerify(jwt as string, await importJWK(key.jwk, algorithm));
    expect(verified.protectedHeader).toEqual({ alg: algorithm, kid: key.kid });
    const { iat, jti, ...claims } = verified.payload;
    expect(claims).toEqual({ iss: 'gate', sub: 'gate', aud: ISSUER, exp: (iat as number) + 60 });
    expect(iat).toBeGreaterThanOrEqual(before);
    expect(iat).toBeLessThanOrEqual(Date.now() / 1000);
    expect(jti).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('creates an assertion per request, without a key id by default', async () => {
    const key = await makeKey('k');
    const authentication = keyed(await exportPKCS8(key.privateKey), 'ES256');
    const authenticate = clientAuthentication({ clientId: 'gate', authentication }, ISSUER);
    const made = await Promise.all([authenticate(), authenticate(), authenticate()]);
    const jwts = made.map(({ parameters }) => parameters.client_assertion as string);
    expect(new Set(jwts.map((jwt) => decodeJwt(jwt).jti)).size).toBe(3);
    expect(decodeProtectedHeader(jwts[0] as string)).toEqual({ alg: 'ES256' });
  });

  const rsa = (modulusLength: number) =>
    generateKeyPairSync('rsa', { modulusLength }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

  it.each([
    ['no PEM', 'a secret text', 'ES256'],
    ['an empty PEM', '-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n', 'ES256'],
    ['a broken PEM', '-----BEGIN PRIVATE KEY-----\nMIGH*\n-----END PRIVATE KEY-----\n', 'ES256'],
    ['a SEC 1 PEM', ec.export({ type: 'sec1', format: 'pem' }), 'ES256'],
    ['a key of another curve', ec.export({ type: 'pkcs8', format: 'pem' }), 'ES384'],
    ['a key of another kind', ec.export({ type: 'pkcs8', format: 'pem' }), 'RS256'],
    ['a key that is too short', rsa(1024), 'RS256'],
    ['a symmetric algorithm', ec.export({ type: 'pkcs8', format: 'pem' }), 'HS256'],
    ['no algorithm', ec.export({ type: 'pkcs8', format: 'pem' }), 'none'],
  ])('reports %s as a configuration error, without the key', async (_, pem, algorithm) => {
    const authentication = keyed(pem.toString(), algorithm);
    const authenticate = clientAuthentication({ clientId: 'gate', authentication }, ISSUER);
    for (const attempt of await Promise.allSettled([authenticate(), authenticate()])) {
      const error: unknown = attempt.status === 'rejected' ? attempt.reason : 'credentials';
      expect(error).toBeInstanceOf(ClientAuthenticationError);
      expect((error as Error).message).toContain(
        `The private key of the client gate cannot sign with ${algorithm}`,
      );
      const told = inspect(error, { depth: Infinity, showHidden: true });
      for (const line of pem
        .toString()
        .split('\n')
        .filter((one) => one.length > 3 && !one.startsWith('-'))) {
        expect(told).not.toContain(line);
      }
    }
  });
});
