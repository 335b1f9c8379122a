/** Introspection at oidc-provider, an authorization server that this project did not write. */
import { exportPKCS8 } from 'jose';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TestIssuer } from '../../../test/support/issuer.js';
import type { IntrospectionSettings } from '../../config/settings.js';
import { ClientAuthenticationError } from '../../http/outbound/client-authentication.js';
import { IntrospectionClient } from './introspection-client.js';
import { outcome, refusal, SECRET } from '../../../test/support/introspection-client.js';

describe('IntrospectionClient with oidc-provider', () => {
  const RESOURCE = 'https://gate.example/mcp';
  const server = createServer();
  /** Publishes the key of the gateway. */
  let published: TestIssuer;
  let issuer: string;
  /** Silences the notices of oidc-provider about Node.js 20 and defaults. */
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
    'introspects an opaque token as the client %s',
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

  it('reports the authentication as the cause if the secret is wrong', async () => {
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
