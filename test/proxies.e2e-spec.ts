/**
 * Outbound requests of a running server through a real forward proxy, to hosts that only the proxy can reach.
 */
import { writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { generate } from 'selfsigned';
import { freePort, gateEnv, temporaryFolder } from './support/gate.js';
import { makeKey, type SigningKey } from './support/issuer.js';
import { TestProxy } from './support/proxy.js';
import { until } from './support/remote.js';
import { type ServerProcess, startProgram, startServer } from './support/server-process.js';

const AUDIENCE = 'urn:gate';
const MODERN = '2026-07-28';
const folder = temporaryFolder();
const file = (name: string, text: string) => {
  writeFileSync(join(folder.path, name), text);
  return join(folder.path, name);
};

/** Every host of `example.test`: an issuer, an introspection endpoint, a collector and an upstream. */
class World {
  readonly hits: { readonly at: string; readonly authorization: string | undefined }[] = [];

  private constructor(
    private readonly server: Server,
    private readonly key: SigningKey,
  ) {}

  static async start(tls: { key: string; cert: string }): Promise<World> {
    const world = new World(createServer(tls), await makeKey('key-1'));
    world.server.on('request', (request: IncomingMessage, response) => {
      const at = `${request.headers.host}${request.url}`;
      world.hits.push({ at, authorization: request.headers.authorization });
      request.resume();
      const body = world.answer(at);
      response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body ?? {}));
    });
    await new Promise<void>((resolve) => world.server.listen(0, '127.0.0.1', resolve));
    return world;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  has(at: string): boolean {
    return this.hits.some((hit) => hit.at === at);
  }

  token(): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ sub: 'alice', client_id: 'agent', jti: 'j1' })
      .setProtectedHeader({ alg: this.key.alg, kid: this.key.kid, typ: 'at+jwt' })
      .setIssuer('https://issuer.example.test')
      .setAudience(AUDIENCE)
      .setIssuedAt(now)
      .setExpirationTime(now + 300)
      .sign(this.key.privateKey);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(at: string): object | undefined {
    const issuer = 'https://issuer.example.test';
    switch (at) {
      case 'issuer.example.test/.well-known/oauth-authorization-server':
        return { issuer, jwks_uri: `${issuer}/jwks` };
      case 'issuer.example.test/jwks':
        return { keys: [this.key.jwk] };
      case 'opaque.example.test/introspect':
        return { active: false };
      case 'login.example.test/token':
        return { access_token: 'for-the-upstream', token_type: 'Bearer', expires_in: 60 };
      case 'collector.example.test/ingest':
      case 'otel.example.test/v1/traces':
        return {};
      default:
        return undefined;
    }
  }
}

let world: World;
let proxy: TestProxy;
let secureProxy: TestProxy;
let authority: string;
let tls: { key: string; cert: string };

beforeAll(async () => {
  const ca = await generate([{ name: 'commonName', value: 'Authority' }], {
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  });
  const made = await generate([{ name: 'commonName', value: 'world' }], {
    ca: { key: ca.private, cert: ca.cert },
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: '*.example.test' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  tls = { key: made.private, cert: made.cert };
  authority = file('ca.pem', ca.cert);
  world = await World.start(tls);
  proxy = await TestProxy.start(() => world.port);
  secureProxy = await TestProxy.start(() => world.port, tls);
});
afterAll(async () => {
  await Promise.all([proxy.stop(), secureProxy.stop(), world.stop()]);
  folder.remove();
});
afterEach(() => {
  proxy.refusing = undefined;
  proxy.asked.length = 0;
  world.hits.length = 0;
});

/** The environment of every process; it trusts the certificate authority of the test. */
const trusting = (env: Record<string, string>) => ({ NODE_EXTRA_CA_CERTS: authority, ...env });

async function start(env: Record<string, string>): Promise<ServerProcess> {
  const port = await freePort();
  const { AUTH_ISSUER: _, ...usual } = gateEnv('', port, join(folder.path, `data-${port}`));
  const identity = {
    issuers: [
      { issuer: 'https://issuer.example.test', audience: AUDIENCE },
      {
        issuer: 'https://opaque.example.test',
        audience: AUDIENCE,
        introspection: {
          endpoint: 'https://opaque.example.test/introspect',
          client_id: 'gate',
          client_secret_file: file('client-secret', 'x'.repeat(32)),
        },
      },
    ],
  };
  return startServer(
    {
      ...usual,
      LOG_LEVEL: 'info',
      IDENTITY_FILE: file('identity.yaml', JSON.stringify(identity)),
      DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
      REVOCATION_MAX_AGE_SECONDS: '0',
      ...trusting(env),
    },
    { cwd: folder.path },
  );
}

async function ask(origin: string, token: string): Promise<number> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const answer = await fetch(`${origin}/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': MODERN,
      'mcp-method': 'tools/list',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta } }),
  });
  await answer.arrayBuffer();
  return answer.status;
}

it('sends requests to issuers, introspection, token endpoints, upstreams, sinks and the collector through the proxy', async () => {
  const sink = { name: 'siem', type: 'https', url: 'https://collector.example.test/ingest' };
  const upstream = {
    name: 'crm',
    url: 'https://upstream.example.test/mcp',
    auth: {
      method: 'client_credentials',
      token_endpoint: 'https://login.example.test/token',
      client_id: 'gate',
      client_secret_file: file('upstream-secret', 'y'.repeat(32)),
    },
    tools: [{ match: '*', any_principal: true }],
  };
  const gate = await start({
    HTTPS_PROXY: `http://gate:s3cret%21@127.0.0.1:${proxy.port}`,
    AUDIT_SINKS_FILE: file('sinks.yaml', JSON.stringify({ sinks: [sink] })),
    UPSTREAMS_FILE: file('upstreams.yaml', JSON.stringify({ upstreams: [upstream] })),
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otel.example.test',
  });
  try {
    expect(await ask(gate.origin, await world.token())).toBe(200);
    expect(await ask(gate.origin, 'opaque-token')).toBe(401);
    for (const at of [
      'issuer.example.test/jwks',
      'opaque.example.test/introspect',
      'collector.example.test/ingest',
      'login.example.test/token',
      'upstream.example.test/mcp',
      'otel.example.test/v1/traces',
    ]) {
      await until(() => world.has(at), 20_000);
      expect(proxy.askedFor(`${at.slice(0, at.indexOf('/'))}:443`)).toBeGreaterThan(0);
    }
    const credentials = `Basic ${Buffer.from('gate:s3cret!').toString('base64')}`;
    expect(new Set(proxy.asked.map(({ authorization }) => authorization))).toEqual(new Set([credentials]));
    expect(world.hits.find(({ at }) => at === 'upstream.example.test/mcp')?.authorization).toBe(
      'Bearer for-the-upstream',
    );
    expect(gate.output).toContain(
      `HTTPS_PROXY: outbound https requests go through the proxy 127.0.0.1:${proxy.port}`,
    );
    expect(gate.output).not.toMatch(/s3cret/);
  } finally {
    await gate.stop();
  }
});

it('reaches an issuer through an HTTPS proxy', async () => {
  const gate = await start({ https_proxy: `https://127.0.0.1:${secureProxy.port}` });
  try {
    expect(await ask(gate.origin, await world.token())).toBe(200);
    expect(secureProxy.askedFor('issuer.example.test:443')).toBeGreaterThan(0);
  } finally {
    await gate.stop();
  }
});

it('bypasses the proxy for hosts in NO_PROXY', async () => {
  const gate = await start({
    HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
    NO_PROXY: '.example.test',
  });
  try {
    expect(await ask(gate.origin, await world.token())).toBe(503);
    expect(proxy.asked).toEqual([]);
  } finally {
    await gate.stop();
  }
});

it('names the failing proxy in the log and not in the response', async () => {
  proxy.refusing = 407;
  const gate = await start({ HTTPS_PROXY: `http://gate:s3cret@127.0.0.1:${proxy.port}` });
  try {
    expect(await ask(gate.origin, await world.token())).toBe(503);
    const says = `The proxy 127.0.0.1:${proxy.port} answered 407 to CONNECT issuer.example.test:443`;
    await until(() => gate.output.includes(says));
    expect(gate.output).not.toContain('s3cret');
  } finally {
    await gate.stop();
  }
});

it.each<[string, number | undefined, string, number]>([
  ['the way', undefined, 'issuer.example.test through the proxy 127.0.0.1:', 0],
  ['refused credentials', 407, 'The proxy requires credentials', 1],
  ['a host that the proxy rejects', 403, 'The proxy does not connect to that host', 1],
])('shows %s in the doctor', async (_case, refusing, says, code) => {
  proxy.refusing = refusing;
  const port = await freePort();
  const doctor = startProgram('cli/mcp-gate.js', {
    args: ['doctor'],
    cwd: folder.path,
    env: trusting({
      ...gateEnv('https://issuer.example.test', port, join(folder.path, 'doctor')),
      AUTH_AUDIENCE: AUDIENCE,
      HTTPS_PROXY: `http://gate:s3cret@127.0.0.1:${proxy.port}`,
    }),
  });
  expect([await doctor.exit, doctor.output]).toEqual([code, expect.stringContaining(says)]);
  expect(doctor.output).not.toContain('s3cret');
});
