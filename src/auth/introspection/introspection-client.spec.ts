import fc from 'fast-check';
import { exportPKCS8 } from 'jose';
import type { LRUCache } from 'lru-cache';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import {
  answerJson,
  IntrospectionEndpoint,
  type Behaviour,
  type IntrospectingClient,
} from '../../../test/support/introspection-endpoint.js';
import { makeKey, TestIssuer } from '../../../test/support/issuer.js';
import { AppError } from '../../core/app-error.js';
import type { IntrospectionSettings } from '../../config/settings.js';
import { ClientAuthenticationError } from '../../http/outbound/client-authentication.js';
import { IntrospectionClient, type IntrospectionOptions } from './introspection-client.js';
import { identityUnavailable } from '../token-errors.js';

const SECRET = 'a secret: 100% of it & more';
const now = () => Math.floor(Date.now() / 1000);

let endpoint: IntrospectionEndpoint;

beforeEach(async () => {
  endpoint = await IntrospectionEndpoint.start({
    client: { id: 'gate', method: 'client_secret_basic', secret: SECRET },
  });
});
afterEach(() => endpoint.stop());

async function introspection(
  settings: Partial<IntrospectionSettings> = {},
  options: Partial<IntrospectionOptions> = {},
): Promise<IntrospectionClient> {
  return new IntrospectionClient({
    issuer: endpoint.issuer,
    settings: await endpoint.settings(settings),
    endpoint: () => Promise.reject(new Error('The address was configured')),
    ...options,
  });
}

async function refusal(claims: Promise<unknown>): Promise<AppError> {
  const error = await claims.then(
    () => 'claims',
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

async function outcome(claims: Promise<unknown>): Promise<string> {
  const { status, code } = await refusal(claims);
  return `${status} ${code}`;
}

/** Everything that a log could show of an error. */
const shown = (error: unknown) => inspect(error, { depth: Infinity, showHidden: true });

const answering =
  (body: unknown): Behaviour =>
  (response) =>
    answerJson(response, 200, body);

const raw =
  (body: string | Buffer, status = 200, headers: Record<string, string> = {}): Behaviour =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body);
  };

const until = async (condition: () => boolean) => {
  for (let turn = 0; !condition(); turn++) {
    if (turn === 1000) throw new Error('It never came to that');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

describe('asking', () => {
  it('gives the claims of an active token as the issuer says them', async () => {
    const exp = now() + 60;
    const token = endpoint.issue({
      exp,
      aud: ['a', 'b'],
      scope: 'x y',
      cnf: { jkt: 'z' },
      extra: { n: [1] },
    });
    expect(await (await introspection()).claims(token)).toEqual({
      active: true,
      iss: endpoint.issuer,
      sub: 'alice',
      client_id: 'agent',
      token_type: 'Bearer',
      iat: expect.any(Number),
      exp,
      aud: ['a', 'b'],
      scope: 'x y',
      cnf: { jkt: 'z' },
      extra: { n: [1] },
    });
  });

  it('posts a form with the token and the hint, and asks for JSON', async () => {
    const token = 'b64token-._~+/==';
    endpoint.activate(token);
    await (await introspection()).claims(token);
    const [{ headers, form } = { headers: {}, form: undefined }] = endpoint.questions;
    expect(headers['content-type']).toMatch(/^application\/x-www-form-urlencoded\b/);
    expect(headers.accept).toBe('application/json');
    expect([...(form ?? [])]).toEqual([
      ['token', token],
      ['token_type_hint', 'access_token'],
    ]);
  });

  it('sends whatever a token holds as one value', async () => {
    const token = 'a&client_secret=b=%20+ä';
    endpoint.activate(token);
    expect(await (await introspection()).claims(token)).toMatchObject({ active: true });
  });

  const clients: [string, () => Promise<IntrospectingClient>][] = [
    ['client_secret_basic', async () => ({ id: 'a:b c', method: 'client_secret_basic', secret: SECRET })],
    ['client_secret_post', async () => ({ id: 'a:b c', method: 'client_secret_post', secret: SECRET })],
    ['private_key_jwt', async () => ({ id: 'gate', method: 'private_key_jwt', key: await makeKey('k') })],
    [
      'private_key_jwt with RSA',
      async () => ({ id: 'gate', method: 'private_key_jwt', key: await makeKey('k', 'PS256') }),
    ],
  ];
  it.each(clients)('proves itself with %s, each time anew', async (_, client) => {
    const strict = await IntrospectionEndpoint.start({
      client: await client(),
      issuer: 'https://issuer.example',
    });
    try {
      const asked = new IntrospectionClient({
        issuer: 'https://issuer.example',
        settings: await strict.settings(),
        endpoint: () => Promise.reject(new Error('The address was configured')),
      });
      const token = strict.issue();
      await asked.claims(token);
      expect(await asked.claims(token)).toMatchObject({ sub: 'alice' });
      expect(strict.calls).toBe(2);
    } finally {
      await strict.stop();
    }
  });

  it('asks for the address at each question where none is configured', async () => {
    const other = await IntrospectionEndpoint.start({ client: endpoint.client, issuer: endpoint.issuer });
    try {
      const addresses = [endpoint.url, other.url];
      const asked = await introspection(
        { endpoint: undefined },
        { endpoint: async () => addresses.shift() ?? '' },
      );
      await asked.claims(endpoint.issue());
      await asked.claims(other.issue());
      expect([endpoint.calls, other.calls]).toEqual([1, 1]);
      expect(await outcome(asked.claims('x'))).toBe('503 identity_unavailable');
    } finally {
      await other.stop();
    }
  });

  it('tells why there is no address', async () => {
    const asked = await introspection(
      { endpoint: undefined },
      { endpoint: () => Promise.reject(new Error('The metadata has none')) },
    );
    const error = await refusal(asked.claims('x'));
    expect([error.status, error.code]).toEqual([503, 'identity_unavailable']);
    expect((error.cause as Error).message).toContain('The metadata has none');

    // As Node says it of a name with several addresses, none of which answers.
    const nobody = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
    const alone = await introspection({ endpoint: undefined }, { endpoint: () => Promise.reject(nobody) });
    expect(((await refusal(alone.claims('x'))).cause as Error).message).toContain('ECONNREFUSED');

    const down = identityUnavailable(new Error('The metadata cannot be had'));
    const same = await introspection({ endpoint: undefined }, { endpoint: () => Promise.reject(down) });
    expect(await refusal(same.claims('x'))).toBe(down);
  });

  it('refuses a token of more than 8 KiB without asking', async () => {
    const asked = await introspection();
    expect(await outcome(asked.claims('a'.repeat(8193)))).toBe('401 token_malformed');
    expect(await outcome(asked.claims('ä'.repeat(4097)))).toBe('401 token_malformed');
    expect(endpoint.calls).toBe(0);
    expect(await outcome(asked.claims('a'.repeat(8192)))).toBe('401 token_revoked');
  });
});

describe('what the issuer says', () => {
  const active = (claims: object) => ({ active: true, exp: now() + 60, ...claims });

  it.each([
    ['not active', { active: false }, '401 token_revoked'],
    ['not active, with claims', { ...active({}), active: false }, '401 token_revoked'],
    ['another issuer', active({ iss: 'https://other.example' }), '401 token_issuer'],
    ['an issuer that is none', active({ iss: '' }), '401 token_issuer'],
    ['several issuers', active({ iss: ['https://issuer.example'] }), '401 token_issuer'],
    ['a refresh token', active({ token_type: 'refresh_token' }), '401 token_type'],
    [
      'a refresh token of Hydra and dex',
      active({ token_type: 'Bearer', token_use: 'refresh_token' }),
      '401 token_type',
    ],
    ['a refresh token, shorter', active({ token_use: 'refresh' }), '401 token_type'],
    ['an ID token', active({ token_use: 'ID' }), '401 token_type'],
    ['no access token (RFC 8693)', active({ token_type: 'N_A' }), '401 token_type'],
    ['a type of proof that is not known here', active({ token_type: 'mac' }), '401 token_type'],
    ['a type that is no text', active({ token_type: ['Bearer'] }), '401 token_type'],
    ['an empty type', active({ token_type: '' }), '401 token_type'],
    ['no end', { active: true }, '401 token_claims'],
    ['an end that is a text', active({ exp: String(now() + 60) }), '401 token_claims'],
    ['an end that is a date', active({ exp: '2099-01-01T00:00:00Z' }), '401 token_claims'],
    ['an end that is null', active({ exp: null }), '401 token_claims'],
  ])('%s', async (_, answer, expected) => {
    endpoint.behaviour = answering(answer);
    expect(await outcome((await introspection({ cacheSeconds: 60 })).claims('x'))).toBe(expected);
  });

  it('an end beyond all numbers', async () => {
    endpoint.behaviour = raw('{"active":true,"exp":1e999}');
    expect(await outcome((await introspection()).claims('x'))).toBe('401 token_claims');
  });

  it.each([['Bearer'], ['bearer'], ['DPoP'], ['dpop'], [undefined], [null]])(
    'token_type %s is an access token',
    async (type) => {
      endpoint.behaviour = answering(active({ token_type: type, token_use: 'access_token' }));
      expect(await (await introspection()).claims('x')).toMatchObject({ active: true });
    },
  );

  it('nothing about the issuer: it is the one that was asked', async () => {
    endpoint.behaviour = answering(active({ sub: 'alice' }));
    expect((await (await introspection()).claims('x')).iss).toBe(endpoint.issuer);
  });

  it('null, which is nothing', async () => {
    endpoint.behaviour = answering({
      ...active({ sub: 'alice', iss: null, iat: null, nbf: null, token_use: null }),
      exp: 4_000_000_000,
    });
    expect(await (await introspection()).claims('x')).toEqual({
      active: true,
      exp: 4_000_000_000,
      sub: 'alice',
      iss: endpoint.issuer,
    });
  });

  it('a token that is over: for the caller to judge, who knows the tolerance', async () => {
    const token = endpoint.issue({ exp: now() - 2 });
    expect((await (await introspection()).claims(token)).exp).toBeLessThan(now());
  });

  it('leads to claims or to a known refusal, whatever the JSON', async () => {
    const asked = await introspection();
    const odd = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(endpoint.issuer, 'Bearer', 'DPoP', 'refresh_token', 4_000_000_000),
    );
    const answers = fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          active: fc.oneof(fc.constant(true), fc.boolean(), odd),
          iss: fc.oneof(fc.constant(endpoint.issuer), odd),
          token_type: fc.oneof(fc.constant('Bearer'), odd),
          token_use: odd,
          exp: fc.oneof(fc.integer(), fc.double(), odd),
          sub: odd,
          aud: odd,
          ['__proto__']: odd,
        },
        { requiredKeys: [] },
      ),
    );
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(answers, async (answer) => {
        endpoint.behaviour = answering(answer);
        try {
          const claims = await asked.claims('x');
          seen.add('claims');
          expect(claims).toMatchObject({ active: true, iss: endpoint.issuer });
          expect(Number.isFinite(claims.exp)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          seen.add(`${(error as AppError).status} ${(error as AppError).code}`);
        }
      }),
      { numRuns: 600 },
    );
    expect([...seen].sort()).toEqual([
      '401 token_claims',
      '401 token_issuer',
      '401 token_revoked',
      '401 token_type',
      '503 identity_unavailable',
      'claims',
    ]);
  }, 60_000);
});

describe('answers that cannot be believed', () => {
  const yes = '{"active":true,"exp":4000000000}';
  const behaviours: [string, Behaviour][] = [
    ['HTML', raw('<html>active</html>', 200, { 'content-type': 'text/html' })],
    ['HTML that calls itself JSON', raw('<html>active</html>')],
    ['JSON that calls itself HTML', raw(yes, 200, { 'content-type': 'text/html' })],
    ['something like JSON', raw(yes, 200, { 'content-type': 'application/json-seq' })],
    ['JSON of no type', (response) => response.writeHead(200).end(yes)],
    [
      'a signed answer that was not asked for',
      raw('e30.e30.e30', 200, { 'content-type': 'application/token-introspection+jwt' }),
    ],
    ['nothing', raw('')],
    ['half of it', raw(yes.slice(0, -1))],
    ['active as a text', raw('{"active":"true","exp":4000000000}')],
    ['active as a number', raw('{"active":1,"exp":4000000000}')],
    ['active as null', raw('{"active":null,"exp":4000000000}')],
    ['no word about active', raw('{"exp":4000000000}')],
    ['a list', raw(`[${yes}]`)],
    ['null', raw('null')],
    ['true', raw('true')],
    ['bytes that are no UTF-8', raw(Buffer.from('{"active":true,"exp":4000000000,"sub":"\xff"}', 'latin1'))],
    ['a member of its prototype', raw('{"__proto__":{"active":true,"exp":4000000000}}')],
    ['nesting without end', raw(`{"active":${'['.repeat(200_000)}`)],
    ['a flood', raw(`{"active":true,"exp":4000000000,"x":"${'x'.repeat(600_000)}"}`)],
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
    ['something that is not HTTP', (response) => response.socket?.end('HELO\r\n\r\n')],
    ['a compression that is none', raw(yes, 200, { 'content-encoding': 'gzip' })],
  ];

  it.each(behaviours)('%s', async (_, behaviour) => {
    const asked = await introspection({ cacheSeconds: 60 });
    endpoint.behaviour = behaviour;
    const error = await refusal(asked.claims('x'));
    expect([error.status, error.code, error.retryAfterSeconds]).toEqual([503, 'identity_unavailable', 5]);
    expect(error.challenge).toBeUndefined();
    expect(error.cause).toBeInstanceOf(Error);
    expect(error.cause).not.toBeInstanceOf(ClientAuthenticationError);
    expect((error.cause as Error).message).not.toMatch(/undefined|null/);
  });

  it.each([301, 302, 303, 307, 308])('a redirect (%i), which is not followed', async (status) => {
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
      'no end of the answer',
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{"active":');
      },
    ],
    [
      'an answer by drops',
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const drops = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(drops));
      },
    ],
  ])('%s within the time', async (_, behaviour) => {
    endpoint.behaviour = behaviour;
    const asked = await introspection({}, { timeoutMs: 150 });
    const started = performance.now();
    expect(await outcome(asked.claims('x'))).toBe('503 identity_unavailable');
    expect(performance.now() - started).toBeLessThan(1_500);
  });

  it('nobody there', async () => {
    const asked = await introspection();
    await endpoint.stop();
    const error = await refusal(asked.claims('x'));
    expect(error.code).toBe('identity_unavailable');
    expect((error.cause as Error).message).toContain('ECONNREFUSED');
    endpoint = await IntrospectionEndpoint.start();
  });

  it('are forgotten: the next request finds the endpoint well again', async () => {
    const asked = await introspection({ cacheSeconds: 60 });
    const token = endpoint.issue();
    endpoint.behaviour = raw('', 500);
    expect(await outcome(asked.claims(token))).toBe('503 identity_unavailable');
    endpoint.behaviour = undefined;
    expect(await asked.claims(token)).toMatchObject({ sub: 'alice' });
  });
});

describe('an issuer that does not know this server', () => {
  it.each([400, 401, 403])('answers %i: a fault of the operator, and not of the caller', async (status) => {
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
    ['another name', { clientId: 'gates' }],
  ])('%s', async (_, settings) => {
    const error = await refusal((await introspection(settings)).claims(endpoint.issue()));
    expect(error.code).toBe('identity_unavailable');
    expect(error.cause).toBeInstanceOf(ClientAuthenticationError);
  });

  it('a private key that is none: nothing is asked', async () => {
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

describe('what was answered before', () => {
  /** Sets the monotonic clock; the cache looks at it once a millisecond. */
  const setClock = async (clock: jest.SpyInstance<number>, milliseconds: number) => {
    clock.mockReturnValue(milliseconds);
    await new Promise((resolve) => setTimeout(resolve, 5));
  };

  it('is believed for a while, and only while the token lives', async () => {
    const clock = jest.spyOn(performance, 'now');
    try {
      const asked = await introspection({ cacheSeconds: 10 });
      const long = endpoint.issue();
      const short = endpoint.issue({ exp: Date.now() / 1000 + 4 });
      const started = performance.now();
      const at = (seconds: number) => setClock(clock, started + seconds * 1000);
      await at(0);
      const calls = async (token: string) => {
        await asked.claims(token);
        return endpoint.calls;
      };
      expect(await calls(long)).toBe(1);
      expect(await calls(short)).toBe(2);
      await at(2);
      expect(await calls(long)).toBe(2);
      expect(await calls(short)).toBe(2);
      await at(4.1);
      expect(await calls(short)).toBe(3);
      await at(9.9);
      expect(await calls(long)).toBe(3);
      await at(10.1);
      expect(await calls(long)).toBe(4);
    } finally {
      clock.mockRestore();
    }
  });

  it('counts from the question, not from the answer', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(1_000_000);
    try {
      const asked = await introspection({ cacheSeconds: 10 });
      const token = endpoint.issue();
      const release = endpoint.hold();
      const slow = asked.claims(token);
      await until(() => endpoint.calls === 1);
      await setClock(clock, 1_004_000);
      release();
      await slow;
      await setClock(clock, 1_009_900);
      await asked.claims(token);
      expect(endpoint.calls).toBe(1);
      await setClock(clock, 1_010_100);
      await asked.claims(token);
      expect(endpoint.calls).toBe(2);
    } finally {
      clock.mockRestore();
    }
  });

  it('is not believed at all where the operator says so, not even within the same moment', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(1_000_000);
    try {
      const asked = await introspection({ cacheSeconds: 0 });
      const token = endpoint.issue();
      await asked.claims(token);
      endpoint.revoke(token);
      expect(await outcome(asked.claims(token))).toBe('401 token_revoked');
      expect(asked).toMatchObject({ active: { size: 0 } });
    } finally {
      clock.mockRestore();
    }
  });

  it('is not kept of a token that is over', async () => {
    const asked = await introspection({ cacheSeconds: 60 });
    const token = endpoint.issue({ exp: now() - 1 });
    await asked.claims(token);
    endpoint.revoke(token);
    expect(await outcome(asked.claims(token))).toBe('401 token_revoked');
  });

  it.each<[string, object]>([
    ['not active', { active: false }],
    ['a refresh token', { active: true, token_type: 'refresh_token', exp: 4_000_000_000 }],
    ['of another issuer', { active: true, iss: 'https://other.example', exp: 4_000_000_000 }],
    ['without an end', { active: true }],
  ])('is forgotten where it was bad: %s', async (_, answer) => {
    const asked = await introspection({ cacheSeconds: 60 });
    endpoint.behaviour = answering(answer);
    await refusal(asked.claims('x'));
    endpoint.behaviour = undefined;
    endpoint.activate('x');
    expect(await asked.claims('x')).toMatchObject({ sub: 'alice' });
    expect(endpoint.calls).toBe(2);
  });

  it('is of that token alone', async () => {
    const asked = await introspection({ cacheSeconds: 60 });
    const [alice, bob] = [endpoint.issue(), endpoint.issue({ sub: 'bob' })];
    for (const _ of [1, 2]) {
      expect((await asked.claims(alice)).sub).toBe('alice');
      expect((await asked.claims(bob)).sub).toBe('bob');
      expect(await outcome(asked.claims(alice.toUpperCase()))).toBe('401 token_revoked');
    }
  });

  it('is kept without the token', async () => {
    const asked = await introspection({ cacheSeconds: 60 });
    const token = endpoint.issue();
    await asked.claims(token);
    const { active } = asked as unknown as { active: LRUCache<string, object> };
    expect([...active.entries()]).toEqual([
      [createHash('sha256').update(token).digest('base64'), expect.objectContaining({ sub: 'alice' })],
    ]);
  });

  it('is bounded in number', async () => {
    expect(await introspection({ cacheSeconds: 60 })).toMatchObject({ active: { max: 10_000 } });
  });
});

describe('an issuer that does not answer for a kind of token', () => {
  it('says so of the token, and not of who asks', async () => {
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
  ])('%i %j is an outage, and says what it is', async (status, body, says) => {
    const asked = await introspection();
    expect(asked.lastAnswer).toBeUndefined();
    endpoint.behaviour = (response) => answerJson(response, status, body);
    const error = await refusal(asked.claims('x'));
    expect([error.status, error.code]).toEqual([503, 'identity_unavailable']);
    expect(String((error.cause as Error).message)).toContain(says);
    expect(asked.lastAnswer).toBe('failing');
  });
});

it('a token without a subject is about its client', async () => {
  const asked = await introspection();
  const token = endpoint.issue({ sub: undefined });
  expect(await asked.claims(token)).toMatchObject({ sub: 'agent', client_id: 'agent' });
});

describe('many requests at once', () => {
  it.each([0, 60])('share one question about one token (cache of %i s)', async (cacheSeconds) => {
    const asked = await introspection({ cacheSeconds });
    const token = endpoint.issue();
    const release = endpoint.hold();
    const first = [1, 2, 3].map(() => asked.claims(token));
    await until(() => endpoint.calls > 0);
    const later = [1, 2].map(() => asked.claims(token));
    release();
    for (const claims of await Promise.all([...first, ...later])) expect(claims.sub).toBe('alice');
    expect(endpoint.calls).toBe(1);
  });

  it('share a refusal too, and the next one asks again', async () => {
    const asked = await introspection({ cacheSeconds: 60 });
    const release = endpoint.hold();
    const all = [1, 2, 3].map(() => outcome(asked.claims('x')));
    await until(() => endpoint.calls > 0);
    release();
    expect(await Promise.all(all)).toEqual(Array(3).fill('401 token_revoked'));
    expect(endpoint.calls).toBe(1);
    endpoint.activate('x');
    expect(await asked.claims('x')).toMatchObject({ sub: 'alice' });
  });

  it('leave the issuer alone above the maximum, and go on below it', async () => {
    const asked = await introspection({ cacheSeconds: 60 }, { maxConcurrent: 2 });
    const [known, ...tokens] = [1, 2, 3, 4].map(() => endpoint.issue()) as [string, string, string, string];
    await asked.claims(known);
    const release = endpoint.hold();
    const open = tokens.map((token) => asked.claims(token));
    // What needs no question of its own is served all the same.
    expect(await asked.claims(known)).toMatchObject({ sub: 'alice' });
    const joined = asked.claims(tokens[0]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(endpoint.calls).toBe(3);
    release();
    await Promise.all([...open, joined]);
    expect(endpoint.calls).toBe(4);
  });

  it('are refused after as long as an answer may take', async () => {
    const asked = await introspection({}, { maxConcurrent: 1, timeoutMs: 200 });
    endpoint.behaviour = () => undefined;
    const [first, second] = await Promise.all([refusal(asked.claims('a')), refusal(asked.claims('b'))]);
    expect([first?.status, first?.retryAfterSeconds]).toEqual([503, 5]);
    expect(second?.status).toBe(503);
  });

  it('wait for their turn, in order, and are all answered', async () => {
    const asked = await introspection({}, { maxConcurrent: 2 });
    const tokens = Array.from({ length: 40 }, () => endpoint.issue());
    const done: number[] = [];
    await Promise.all(tokens.map((token, at) => asked.claims(token).then(() => done.push(at))));
    expect(done.sort((a, b) => a - b)).toEqual(tokens.map((_, at) => at));
    expect(endpoint.calls).toBe(40);
    expect(endpoint.most).toBeLessThanOrEqual(2);
  });

  it('are refused at once where more wait than will ever have their turn', async () => {
    const asked = await introspection({}, { maxConcurrent: 1, timeoutMs: 500 });
    const release = endpoint.hold();
    const waiting = Array.from({ length: 1024 }, (_, at) =>
      asked.claims(`x${at}`).catch((error: unknown) => error),
    );
    const started = performance.now();
    expect((await refusal(asked.claims('one more'))).retryAfterSeconds).toBe(1);
    expect(performance.now() - started).toBeLessThan(400);
    release();
    await Promise.all(waiting);
  });

  it('give their places back after failures of every kind', async () => {
    const asked = await introspection({}, { maxConcurrent: 1, timeoutMs: 100 });
    const failures: Behaviour[] = [
      raw('', 500),
      raw('', 401),
      () => undefined,
      (response) => response.socket?.destroy(),
      answering({ active: false }),
      answering({ active: true }),
    ];
    for (const behaviour of failures) {
      endpoint.behaviour = behaviour;
      expect((await refusal(asked.claims('x'))).retryAfterSeconds).not.toBe(1);
    }
    endpoint.behaviour = undefined;
    expect(await asked.claims(endpoint.issue())).toMatchObject({ sub: 'alice' });
  });
});

describe('what an error shows', () => {
  const token = 'opaque-token-that-nobody-may-see';
  const basic = Buffer.from(`gate:${new URLSearchParams({ '': SECRET }).toString().slice(1)}`);
  const sensitive = [token.slice(0, 8), SECRET, 'a+secret', basic.toString('base64'), basic.toString()];

  const echoes: [string, Behaviour][] = [
    [
      'in a page',
      (response, { headers, form }) =>
        raw(`<p>${headers.authorization} ${form.get('token')}`)(response, { headers, form }),
    ],
    ['as the text itself', (response, question) => raw(`${question.form.get('token')}`)(response, question)],
    [
      'in another status',
      (response, question) => raw(JSON.stringify([...question.form]), 500)(response, question),
    ],
    [
      'in a refusal',
      (response, question) =>
        raw(JSON.stringify({ error: question.form.get('token') }), 401)(response, question),
    ],
    ['in the words of the status', (response) => response.writeHead(500, token).end()],
    ['in a redirect', (response) => response.writeHead(302, { location: `/?${token}` }).end()],
    ['in something that is not HTTP', (response) => response.socket?.end(`${token} ${SECRET}\r\n\r\n`)],
    [
      'in a header that is none',
      (response) => response.socket?.end(`HTTP/1.1 200 OK\r\nx: ${token}\0\r\n\r\n${SECRET}`),
    ],
    ['in a compression', raw(`${token}`, 200, { 'content-encoding': 'br' })],
    ['in its claims', answering({ active: true, iss: token, exp: 1, sub: SECRET })],
    ['in its type', answering({ active: true, token_type: token, exp: 1 })],
    ['in its end', answering({ active: true, exp: token })],
    ['not at all', () => undefined],
  ];

  it.each(echoes)('is neither token nor secret, which the endpoint repeats %s', async (_, behaviour) => {
    endpoint.behaviour = behaviour;
    const error = await refusal((await introspection({}, { timeoutMs: 300 })).claims(token));
    for (const text of sensitive) expect(shown(error)).not.toContain(text);
  });

  it('is no assertion', async () => {
    const key = await makeKey('k');
    const strict = await IntrospectionEndpoint.start({
      client: { id: 'gate', method: 'private_key_jwt', key },
    });
    try {
      strict.behaviour = (response, { form }) => response.socket?.end(`${[...form].join(' ')}\r\n\r\n`);
      const settings = await strict.settings();
      const asked = new IntrospectionClient({ issuer: strict.issuer, settings, endpoint: async () => '' });
      const error = await refusal(asked.claims(token));
      const assertion = strict.questions[0]?.form.get('client_assertion') as string;
      expect(assertion.split('.')).toHaveLength(3);
      for (const text of [token, ...assertion.split('.')]) expect(shown(error)).not.toContain(text);
    } finally {
      await strict.stop();
    }
  });
});

/** An authorization server that is none of ours. */
describe('oidc-provider', () => {
  const RESOURCE = 'https://gate.example/mcp';
  const server = createServer();
  /** Where the gate publishes its own key. */
  let published: TestIssuer;
  let issuer: string;
  /** What it says of Node 20, and of each default that is used. */
  const notices = [jest.spyOn(console, 'warn'), jest.spyOn(console, 'info')];

  beforeAll(async () => {
    notices.forEach((notice) => notice.mockImplementation(() => undefined));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { Provider } = await import('oidc-provider');
    published = await TestIssuer.start();
    const asking = { grant_types: [], response_types: [], redirect_uris: [] };
    const provider = new Provider(issuer, {
      clients: [
        {
          ...asking,
          client_id: 'machine',
          client_secret: 'secret of the machine',
          grant_types: ['client_credentials'],
          token_endpoint_auth_method: 'client_secret_post',
        },
        {
          ...asking,
          client_id: 'client_secret_basic: a+b %',
          client_secret: SECRET,
          token_endpoint_auth_method: 'client_secret_basic',
        },
        {
          ...asking,
          client_id: 'client_secret_post',
          client_secret: SECRET,
          token_endpoint_auth_method: 'client_secret_post',
        },
        {
          ...asking,
          client_id: 'private_key_jwt',
          jwks_uri: `${published.url}/jwks`,
          token_endpoint_auth_method: 'private_key_jwt',
          token_endpoint_auth_signing_alg: 'ES256',
        },
      ],
      enabledJWA: { clientAuthSigningAlgValues: ['ES256'] },
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        introspection: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({ audience: RESOURCE, scope: 'read', accessTokenFormat: 'opaque' }),
        },
      },
    });
    server.on('request', provider.callback());
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
    notices.forEach((notice) => notice.mockRestore());
    return published.stop();
  });

  it.each(['client_secret_basic: a+b %', 'client_secret_post', 'private_key_jwt'])(
    'knows %s, and says what its opaque token is',
    async (clientId) => {
      const answer = await fetch(`${issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: 'machine',
          client_secret: 'secret of the machine',
          resource: RESOURCE,
          scope: 'read',
        }),
      });
      const { access_token: token } = (await answer.json()) as { access_token: string };
      const method = clientId.split(':')[0] as
        'client_secret_basic' | 'client_secret_post' | 'private_key_jwt';
      const { kid, alg, privateKey } = published.key;
      const authentication: IntrospectionSettings['authentication'] =
        method === 'private_key_jwt'
          ? { method, key: await exportPKCS8(privateKey), algorithm: alg, keyId: kid }
          : { method, secret: SECRET };
      const asked = new IntrospectionClient({
        issuer,
        settings: { endpoint: undefined, clientId, authentication, cacheSeconds: 0 },
        endpoint: async () => `${issuer}/token/introspection`,
      });
      for (const _ of [1, 2]) {
        expect(await asked.claims(token)).toMatchObject({
          iss: issuer,
          aud: RESOURCE,
          client_id: 'machine',
          scope: 'read',
          token_type: 'Bearer',
          exp: expect.any(Number),
        });
      }
      expect(await outcome(asked.claims(`${token}x`))).toBe('401 token_revoked');
    },
  );

  it('does not know a client with another secret', async () => {
    const authentication = { method: 'client_secret_post', secret: 'wrong' } as const;
    const settings = { endpoint: undefined, clientId: 'client_secret_post', authentication, cacheSeconds: 0 };
    const asked = new IntrospectionClient({
      issuer,
      settings,
      endpoint: async () => `${issuer}/token/introspection`,
    });
    expect((await refusal(asked.claims('x'))).cause).toBeInstanceOf(ClientAuthenticationError);
  });
});
