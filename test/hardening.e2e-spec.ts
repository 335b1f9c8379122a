/** Production requirements: HTTPS up to the proxy, trusted proxies only, no demo issuer. */
import { decodeJwt } from 'jose';
import { request, type IncomingHttpHeaders } from 'node:http';
import { startDemoIssuer } from '../demo/issuer.js';
import { logIn, readDemoIssuer, registerApp } from '../demo/oauth.js';
import { freePort, Gate, PEOPLE } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';
import { ProbeModule } from './support/probe.tools.js';
import { until } from './support/remote.js';

const NAME = 'gate.example.com';

describe('gateway behind an HTTPS proxy', () => {
  let gate: Gate;
  let port: number;
  let token: string;

  async function start(trusted: string): Promise<void> {
    port = await freePort();
    gate = await Gate.start({
      database: false,
      imports: [ProbeModule],
      env: { PORT: String(port), PUBLIC_URL: `https://${NAME}`, TRUST_PROXY: trusted },
    });
    token = await gate.token({ ...PEOPLE.alice, scope: 'probe' });
  }

  function ask(
    path: string,
    headers: Record<string, string>,
    body?: object,
  ): Promise<{ status: number | undefined; headers: IncomingHttpHeaders; body: any }> {
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port,
          path,
          method: body ? 'POST' : 'GET',
          headers: {
            host: NAME,
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            ...headers,
          },
        },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => (text += chunk.toString()));
          response.on('end', () => {
            const json =
              text
                .split('\n')
                .find((line) => line.startsWith('data: '))
                ?.slice(6) ?? text;
            resolve({
              status: response.statusCode,
              headers: response.headers,
              body: JSON.parse(json || 'null'),
            });
          });
        },
      );
      asked.on('error', reject);
      asked.end(body && JSON.stringify(body));
    });
  }

  const list = (headers: Record<string, string>) =>
    ask(
      '/mcp',
      { authorization: `Bearer ${token}`, 'mcp-protocol-version': '2025-11-25', ...headers },
      { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} },
    );

  afterEach(() => gate.close());

  it('serves HTTPS requests and sends Strict-Transport-Security in every response', async () => {
    await start('127.0.0.1');
    const served = await list({ 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.9' });
    expect(served.status).toBe(200);
    expect(served.headers['strict-transport-security']).toBe('max-age=63072000');
    expect(gate.auditLog().at(-1)?.request.ip).toBe('203.0.113.9');
    for (const path of ['/health/live', '/nowhere', '/.well-known/oauth-protected-resource']) {
      expect((await ask(path, {})).headers['strict-transport-security']).toBe('max-age=63072000');
    }
  });

  it.each([
    ['http in X-Forwarded-Proto', { 'x-forwarded-proto': 'http' }],
    ['http without X-Forwarded-Proto', {}],
    ['http before https in X-Forwarded-Proto', { 'x-forwarded-proto': 'http, https' }],
    ['http after a forged https in X-Forwarded-Proto', { 'x-forwarded-proto': 'https, http' }],
  ])('rejects a request over %s before authentication and records it', async (_what, headers) => {
    await start('127.0.0.1');
    const refused = await list(headers as Record<string, string>);
    expect([refused.status, refused.body.error.data.reason]).toEqual([403, 'origin_rejected']);
    expect(gate.auditLog()).toMatchObject([
      { event: 'authentication', decision: 'deny', reason: 'origin_rejected', principal: null },
    ]);
    expect((await ask('/health/live', {})).status).toBe(200);
  });

  it('accepts X-Forwarded-Proto only from a trusted proxy', async () => {
    await start('10.1.2.3');
    expect((await list({ 'x-forwarded-proto': 'https' })).status).toBe(403);
  });
});

describe('demo issuer', () => {
  it('marks its metadata and each of its tokens as demo', async () => {
    const resource = 'http://127.0.0.1:3000/mcp';
    const issuer = await startDemoIssuer({ resource });
    const metadata = await readDemoIssuer(issuer.url);
    const app = await registerApp(metadata, 'app');
    const token = await logIn(metadata, app, { person: 'alice', resource, scope: 'database.read' });
    expect(decodeJwt(token).demo_issuer).toBe(true);
    const document = await (await fetch(`${issuer.url}/.well-known/openid-configuration`)).json();
    expect(document).toMatchObject({ demo_issuer: true });
    await issuer.close();
  });

  it.each([
    ['production', 401, 'token_issuer'],
    [undefined, 200, undefined],
  ])(
    'issues tokens that a gateway with NODE_ENV=%s answers with status %s',
    async (NODE_ENV, status, reason) => {
      const gate = await Gate.start({ database: false, imports: [ProbeModule], env: { NODE_ENV } });
      const claims = { ...PEOPLE.alice, scope: 'probe' };
      const answer = await gate.callTool(await gate.token({ ...claims, demo_issuer: true }), 'echo', {
        text: 'x',
      });
      expect([answer.status, answer.body.error?.data.reason]).toEqual([status, reason]);
      expect(gate.auditLog()[0]?.reason ?? undefined).toBe(reason);
      // Other loopback issuers are accepted.
      expect((await gate.callTool(await gate.token(claims), 'echo', { text: 'x' })).status).toBe(200);
      await gate.close();
    },
  );

  it('cannot make a production server ready with its metadata', async () => {
    const issuer = await TestIssuer.start();
    for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']) {
      issuer.overrides.set(path, { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks`, demo_issuer: true });
    }
    const gate = await Gate.start({
      database: false,
      issuer,
      imports: [ProbeModule],
      env: { NODE_ENV: 'production' },
    });
    await until(() => (issuer.hits.get('/.well-known/oauth-authorization-server') ?? 0) > 0);
    const answer = await gate.callTool(await gate.token({ ...PEOPLE.alice, scope: 'probe' }), 'echo', {
      text: 'x',
    });
    expect([answer.status, answer.body.error.data.reason]).toEqual([503, 'identity_unavailable']);
    expect((await gate.get('/health/ready')).body.checks.keys).toBe(false);
    await gate.close();
    await issuer.stop();
  });
});
