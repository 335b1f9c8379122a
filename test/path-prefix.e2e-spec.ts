/** The gateway behind a proxy that strips a path prefix: `PUBLIC_URL` has a path. */
import { createServer, request as send, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { generateKeyPair, generateProof } from 'dpop';
import { freePort, Gate, MODERN } from './support/gate.js';
import { ProbeModule, Runs } from './support/probe.tools.js';

const PREFIX = '/tools/v1';

let proxy: Server;
let proxyOrigin: string;
let gate: Gate;
let direct: string;

beforeAll(async () => {
  const port = await freePort();
  direct = `http://127.0.0.1:${port}`;
  proxy = createServer((incoming, outgoing) => {
    const url = incoming.url ?? '';
    if (!url.startsWith(`${PREFIX}/`)) return void outgoing.writeHead(404).end();
    const { method, headers } = incoming;
    const onward = send(`${direct}${url.slice(PREFIX.length)}`, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  proxyOrigin = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  gate = await Gate.start({
    imports: [ProbeModule],
    database: false,
    env: { PORT: String(port), PUBLIC_URL: `${proxyOrigin}${PREFIX}/` },
  });
});
afterAll(async () => {
  await gate.close();
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
});

const runs = () => gate.app.nest.get(Runs).names.length;

it('leads a client from the challenge to the metadata through the proxy', async () => {
  const answer = await fetch(gate.url, { method: 'POST', body: '{}' });
  expect(answer.status).toBe(401);
  const [, address = ''] =
    /resource_metadata="([^"]*)"/.exec(answer.headers.get('www-authenticate') ?? '') ?? [];
  expect(address).toBe(`${proxyOrigin}${PREFIX}/.well-known/oauth-protected-resource/mcp`);
  const document = await (await fetch(address)).json();
  expect(document).toMatchObject({
    resource: `${proxyOrigin}${PREFIX}/mcp`,
    authorization_servers: [gate.issuer.url],
  });
  expect(gate.url).toBe(`${proxyOrigin}${PREFIX}/mcp`);
});

it.each([
  ['', 200],
  ['/mcp', 200],
  [`${PREFIX}/mcp`, 200],
  ['/tools/mcp', 404],
  [`${PREFIX}`, 404],
  [`${PREFIX}/mcp/more`, 404],
  [`/mcp${PREFIX}`, 404],
])('serves the metadata with "%s" inserted into the well-known address: %i', async (path, status) => {
  const answer = await fetch(`${direct}/.well-known/oauth-protected-resource${path}`);
  expect(answer.status).toBe(status);
  if (status === 200) expect(await answer.json()).toMatchObject({ resource: gate.url });
});

it('accepts tokens for its public address and rejects tokens for the address without the prefix', async () => {
  const good = await gate.issuer.mint(gate.url, { scope: 'probe' });
  expect((await gate.callTool(good, 'echo', { text: 'hello' })).status).toBe(200);
  const before = runs();
  for (const audience of [`${proxyOrigin}/mcp`, `${direct}/mcp`, `${proxyOrigin}${PREFIX}`]) {
    const bad = await gate.issuer.mint(audience, { scope: 'probe' });
    const { status, body } = await gate.callTool(bad, 'echo', { text: 'hello' });
    expect([status, body.error.data.reason]).toEqual([401, 'token_audience']);
    expect(gate.auditLog().at(-1)).toMatchObject({ decision: 'deny', reason: 'token_audience' });
  }
  expect(runs()).toBe(before);
});

it('compares the htu of a DPoP proof with the public address', async () => {
  const keys = await generateKeyPair('ES256');
  const jkt = await calculateJwkThumbprint(await exportJWK(keys.publicKey));
  const token = await gate.issuer.mint(gate.url, { scope: 'probe', cnf: { jkt } });
  const ask = async (htu: string) => {
    const proof = await generateProof(keys, htu, 'POST', undefined, token);
    const answer = await fetch(gate.url, {
      method: 'POST',
      headers: {
        authorization: `DPoP ${token}`,
        dpop: proof,
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        'mcp-protocol-version': MODERN,
        'mcp-method': 'tools/list',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/list',
        params: {
          _meta: {
            'io.modelcontextprotocol/protocolVersion': MODERN,
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    });
    return answer.status;
  };
  expect(await ask(gate.url)).toBe(200);
  expect(await ask(`${proxyOrigin}/mcp`)).toBe(401);
  expect(await ask(`${direct}/mcp`)).toBe(401);
});
