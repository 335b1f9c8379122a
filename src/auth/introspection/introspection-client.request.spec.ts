/** Requests to the introspection endpoint: the form, the authentication of the client, the address. */
import {
  type IntrospectingClient,
  IntrospectionEndpoint,
} from '../../../test/support/introspection-endpoint.js';
import { makeKey } from '../../../test/support/issuer.js';
import type { IntrospectionSettings } from '../../config/settings.js';
import { IntrospectionClient, type IntrospectionOptions } from './introspection-client.js';
import { identityUnavailable } from '../token-errors.js';
import {
  clientOf,
  now,
  outcome,
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

describe('IntrospectionClient: requests', () => {
  it('returns the claims of an active token unchanged', async () => {
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

  it('posts a form with the token and token_type_hint, and accepts JSON', async () => {
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

  it('sends a token with form delimiters as one value', async () => {
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
  it.each(clients)('authenticates each request anew with %s', async (_, client) => {
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

  it('resolves the address for each request if none is configured', async () => {
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

  it('names the cause if the address cannot be resolved', async () => {
    const asked = await introspection(
      { endpoint: undefined },
      { endpoint: () => Promise.reject(new Error('The metadata has none')) },
    );
    const error = await refusal(asked.claims('x'));
    expect([error.status, error.code]).toEqual([503, 'identity_unavailable']);
    expect((error.cause as Error).message).toContain('The metadata has none');

    // Error of Node.js for a name with several unreachable addresses.
    const nobody = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
    const alone = await introspection({ endpoint: undefined }, { endpoint: () => Promise.reject(nobody) });
    expect(((await refusal(alone.claims('x'))).cause as Error).message).toContain('ECONNREFUSED');

    const down = identityUnavailable(new Error('The metadata cannot be had'));
    const same = await introspection({ endpoint: undefined }, { endpoint: () => Promise.reject(down) });
    expect(await refusal(same.claims('x'))).toBe(down);
  });

  it('rejects a token of more than 8 KiB without a request', async () => {
    const asked = await introspection();
    expect(await outcome(asked.claims('a'.repeat(8193)))).toBe('401 token_malformed');
    expect(await outcome(asked.claims('ä'.repeat(4097)))).toBe('401 token_malformed');
    expect(endpoint.calls).toBe(0);
    expect(await outcome(asked.claims('a'.repeat(8192)))).toBe('401 token_revoked');
  });
});
