/** Failures of the introspection endpoint: an outage (503), or a client that it rejects; never a verdict on the token. */
import {
  answerJson,
  type Behaviour,
  IntrospectionEndpoint,
} from '../../../test/support/introspection-endpoint.js';
import type { IntrospectionSettings } from '../../config/settings.js';
import { ClientAuthenticationError } from '../../http/outbound/client-authentication.js';
import type { IntrospectionOptions } from './introspection-client.js';
import {
  clientOf,
  outcome,
  raw,
  refusal,
  SECRET,
  startEndpoint,
} from '../../../test/support/introspection-client.js';

let endpoint: IntrospectionEndpoint;

beforeEach(async () => {
  endpoint = await startEndpoint();
});
afterEach(() => endpoint.stop());

const introspection = (
  settings: Partial<IntrospectionSettings> = {},
  options: Partial<IntrospectionOptions> = {},
) => clientOf(endpoint, settings, options);

describe('IntrospectionClient: invalid answers', () => {
  const yes = '{"active":true,"exp":4000000000}';
  const behaviours: [string, Behaviour][] = [
    ['HTML', raw('<html>active</html>', 200, { 'content-type': 'text/html' })],
    ['HTML of the type JSON', raw('<html>active</html>')],
    ['JSON of the type HTML', raw(yes, 200, { 'content-type': 'text/html' })],
    ['a related type of JSON', raw(yes, 200, { 'content-type': 'application/json-seq' })],
    ['JSON without a type', (response) => response.writeHead(200).end(yes)],
    [
      'a signed answer without a request for one',
      raw('e30.e30.e30', 200, { 'content-type': 'application/token-introspection+jwt' }),
    ],
    ['an empty body', raw('')],
    ['truncated JSON', raw(yes.slice(0, -1))],
    ['active as a text', raw('{"active":"true","exp":4000000000}')],
    ['active as a number', raw('{"active":1,"exp":4000000000}')],
    ['active as null', raw('{"active":null,"exp":4000000000}')],
    ['no member active', raw('{"exp":4000000000}')],
    ['a list', raw(`[${yes}]`)],
    ['null', raw('null')],
    ['true', raw('true')],
    ['bytes that are not UTF-8', raw(Buffer.from('{"active":true,"exp":4000000000,"sub":"\xff"}', 'latin1'))],
    ['active on the prototype alone', raw('{"__proto__":{"active":true,"exp":4000000000}}')],
    ['unbounded nesting', raw(`{"active":${'['.repeat(200_000)}`)],
    ['a body above the size limit', raw(`{"active":true,"exp":4000000000,"x":"${'x'.repeat(600_000)}"}`)],
    ['201', raw(yes, 201)],
    ['204', (response) => response.writeHead(204).end()],
    ['203 of a proxy', raw(yes, 203)],
    ['404', raw(yes, 404)],
    ['405', raw(yes, 405)],
    ['429', raw(yes, 429)],
    ['500', raw(yes, 500)],
    ['503', raw(yes, 503)],
    ['a reset', (response) => response.socket?.resetAndDestroy()],
    ['a connection closed before the answer', (response) => response.socket?.end()],
    [
      'a body that is cut off',
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
        response.write(yes, () => response.socket?.destroy());
      },
    ],
    ['bytes that are not HTTP', (response) => response.socket?.end('HELO\r\n\r\n')],
    ['an invalid compression', raw(yes, 200, { 'content-encoding': 'gzip' })],
  ];

  it.each(behaviours)('answers 503 if the endpoint answers with %s', async (_, behaviour) => {
    const asked = await introspection({ cacheSeconds: 60 });
    endpoint.behaviour = behaviour;
    const error = await refusal(asked.claims('x'));
    expect([error.status, error.code, error.retryAfterSeconds]).toEqual([503, 'identity_unavailable', 5]);
    expect(error.challenge).toBeUndefined();
    expect(error.cause).toBeInstanceOf(Error);
    expect(error.cause).not.toBeInstanceOf(ClientAuthenticationError);
    expect((error.cause as Error).message).not.toMatch(/undefined|null/);
  });

  it.each([301, 302, 303, 307, 308])('does not follow a redirect (%i)', async (status) => {
    const other = await IntrospectionEndpoint.start({ client: endpoint.client, issuer: endpoint.issuer });
    try {
      const token = other.issue();
      endpoint.behaviour = (response) => response.writeHead(status, { location: other.url }).end();
      expect(await outcome((await introspection()).claims(token))).toBe('503 identity_unavailable');
      expect(other.calls).toBe(0);
    } finally {
      await other.stop();
    }
  });

  it.each<[string, Behaviour]>([
    ['no answer', () => undefined],
    [
      'an answer without an end',
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{"active":');
      },
    ],
    [
      'an answer of single bytes',
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const drops = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(drops));
      },
    ],
  ])('answers 503 at the time limit after %s', async (_, behaviour) => {
    endpoint.behaviour = behaviour;
    const asked = await introspection({}, { timeoutMs: 150 });
    const started = performance.now();
    expect(await outcome(asked.claims('x'))).toBe('503 identity_unavailable');
    expect(performance.now() - started).toBeLessThan(1_500);
  });

  it('answers 503 if the connection is refused', async () => {
    const asked = await introspection();
    await endpoint.stop();
    const error = await refusal(asked.claims('x'));
    expect(error.code).toBe('identity_unavailable');
    expect((error.cause as Error).message).toContain('ECONNREFUSED');
    endpoint = await IntrospectionEndpoint.start();
  });

  it('asks again after a failure', async () => {
    const asked = await introspection({ cacheSeconds: 60 });
    const token = endpoint.issue();
    endpoint.behaviour = raw('', 500);
    expect(await outcome(asked.claims(token))).toBe('503 identity_unavailable');
    endpoint.behaviour = undefined;
    expect(await asked.claims(token)).toMatchObject({ sub: 'alice' });
  });
});

describe('IntrospectionClient: rejected client authentication', () => {
  it.each([400, 401, 403])('answers 503 without a challenge if the endpoint answers %i', async (status) => {
    endpoint.behaviour = raw('{"active":true,"exp":4000000000}', status);
    const error = await refusal((await introspection()).claims('x'));
    expect([error.status, error.code, error.challenge]).toEqual([503, 'identity_unavailable', undefined]);
    expect(error.cause).toBeInstanceOf(ClientAuthenticationError);
    expect((error.cause as Error).message).toBe(
      `The introspection endpoint answered ${status}: it does not accept this server as the client gate with client_secret_basic`,
    );
  });

  it.each<[string, Partial<IntrospectionSettings>]>([
    ['another secret', { authentication: { method: 'client_secret_basic', secret: 'wrong' } }],
    ['another method', { authentication: { method: 'client_secret_post', secret: SECRET } }],
    ['another client id', { clientId: 'gates' }],
  ])('reports the authentication as the cause for %s', async (_, settings) => {
    const error = await refusal((await introspection(settings)).claims(endpoint.issue()));
    expect(error.code).toBe('identity_unavailable');
    expect(error.cause).toBeInstanceOf(ClientAuthenticationError);
  });

  it('sends no request if the private key is invalid', async () => {
    const authentication = {
      method: 'private_key_jwt',
      key: 'none',
      algorithm: 'ES256',
      keyId: undefined,
    } as const;
    const error = await refusal((await introspection({ authentication })).claims('x'));
    expect(error.code).toBe('identity_unavailable');
    expect(error.cause).toBeInstanceOf(ClientAuthenticationError);
    expect(endpoint.calls).toBe(0);
  });
});

describe('IntrospectionClient: error codes', () => {
  it('rejects the token for unsupported_token_type', async () => {
    const asked = await introspection();
    endpoint.behaviour = (response) => answerJson(response, 400, { error: 'unsupported_token_type' });
    const error = await refusal(asked.claims('a.b.c'));
    expect([error.status, error.code]).toEqual([401, 'token_type']);
    expect(asked.lastAnswer).toBe('ok');
  });

  it.each([
    [
      400,
      { error: 'invalid_client' },
      '400 invalid_client: it does not accept this server as the client gate',
    ],
    [400, { error: '<script>' }, '400: it does not accept'],
    [400, 'no object', '400: it does not accept'],
    [401, { error: 'unsupported_token_type' }, '401 unsupported_token_type: it does not accept'],
    [500, { error: 'server_error' }, 'answered 500 server_error'],
  ])('answers 503 and logs the error code for %i %j', async (status, body, says) => {
    const asked = await introspection();
    expect(asked.lastAnswer).toBeUndefined();
    endpoint.behaviour = (response) => answerJson(response, status, body);
    const error = await refusal(asked.claims('x'));
    expect([error.status, error.code]).toEqual([503, 'identity_unavailable']);
    expect(String((error.cause as Error).message)).toContain(says);
    expect(asked.lastAnswer).toBe('failing');
  });
});
