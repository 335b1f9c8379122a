/** Certificate-bound tokens (RFC 8705): TLS in process, and a proxy that forwards the certificate. */
import { createHash, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';
import { freePort, Gate, MODERN, temporaryFolder } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';
import { ProbeModule } from './support/probe.tools.js';

interface Pair {
  readonly cert: string;
  readonly key: string;
}

const folder = temporaryFolder();
let issuer: TestIssuer;
let ca: Pair;
let server: Pair;
let alice: Pair;
let thief: Pair;

async function certificate(name: string, signer?: Pair): Promise<Pair> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    extensions: [
      { name: 'basicConstraints', cA: signer === undefined },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
    ...(signer && { ca: { key: signer.key, cert: signer.cert } }),
  });
  return { cert, key };
}

function file(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
}

/** Thumbprint by RFC 8705 section 3.1, independent of the code under test. */
function thumbprint({ cert }: Pair): string {
  return createHash('sha256').update(new X509Certificate(cert).raw).digest('base64url');
}

const CALL = {
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: {
    name: 'echo',
    arguments: { text: 'hello' },
    _meta: {
      'io.modelcontextprotocol/protocolVersion': MODERN,
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
};
const HEADERS = { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/call', 'mcp-name': 'echo' };

beforeAll(async () => {
  issuer = await TestIssuer.start();
  ca = await certificate('authority');
  [server, alice, thief] = (await Promise.all(
    ['gate', 'alice', 'thief'].map((name) => certificate(name, ca)),
  )) as [Pair, Pair, Pair];
});
afterAll(async () => {
  await issuer.stop();
  folder.remove();
});

describe('certificate-bound tokens with TLS in process', () => {
  let gate: Gate;

  beforeAll(async () => {
    gate = await Gate.start({
      issuer,
      imports: [ProbeModule],
      database: false,
      identity: { issuers: [{ issuer: issuer.url }] },
      env: {
        TLS_CERT_FILE: file('tls.crt', server.cert),
        TLS_KEY_FILE: file('tls.key', server.key),
        TLS_CLIENT_CA_FILE: file('ca.crt', ca.cert),
      },
    });
  });
  afterAll(() => gate.close());

  function call(
    agent: Agent,
    token: string,
  ): Promise<{ status?: number; reason?: string; resumed: boolean }> {
    return new Promise((resolve, reject) => {
      const asked = request(
        gate.url,
        {
          agent,
          method: 'POST',
          headers: {
            ...HEADERS,
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
          },
        },
        async (response) => {
          const resumed = (response.socket as TLSSocket).isSessionReused();
          const chunks: Buffer[] = [];
          for await (const chunk of response) chunks.push(chunk as Buffer);
          const text = Buffer.concat(chunks).toString();
          const reason = /"reason":"(\w+)"/.exec(text)?.[1];
          resolve({ status: response.statusCode, resumed, ...(reason !== undefined && { reason }) });
        },
      );
      asked.on('error', reject);
      asked.end(JSON.stringify(CALL));
    });
  }

  const agentOf = (identity: Pair) =>
    new Agent({ ...identity, ca: [ca.cert, server.cert], keepAlive: false });
  const boundTo = (pair: Pair) => gate.token({ scope: 'probe', cnf: { 'x5t#S256': thumbprint(pair) } });

  it('work only with their certificate, also on resumed sessions', async () => {
    const token = await boundTo(alice);
    const [own, stolen] = [agentOf(alice), agentOf(thief)];
    const seen = [await call(own, token), await call(own, token), await call(own, token)];
    expect(seen.map(({ status }) => status)).toEqual([200, 200, 200]);
    // Proves that the session was resumed.
    expect(seen.at(-1)?.resumed).toBe(true);
    const refusals = [await call(stolen, token), await call(stolen, token)];
    expect(refusals.map(({ status, reason }) => [status, reason])).toEqual([
      [401, 'token_binding'],
      [401, 'token_binding'],
    ]);
    expect(refusals.at(-1)?.resumed).toBe(true);
  });

  it('accept any certificate for an unbound token', async () => {
    expect(await call(agentOf(thief), await gate.token({ scope: 'probe' }))).toMatchObject({ status: 200 });
  });

  it('need certificate and key when bound to both', async () => {
    const token = await gate.token({
      scope: 'probe',
      cnf: { 'x5t#S256': thumbprint(alice), jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' },
    });
    expect(await call(agentOf(alice), token)).toMatchObject({ status: 401, reason: 'token_binding' });
  });
});

describe('certificate header of a proxy', () => {
  const start = async (trust: string, header: object, issuers: object = {}) => {
    const port = await freePort();
    return Gate.start({
      issuer,
      imports: [ProbeModule],
      database: false,
      identity: { issuers: [{ issuer: issuer.url, ...issuers }], client_certificate_header: header },
      env: { TRUST_PROXY: trust, PORT: String(port) },
    });
  };
  const der = ({ cert }: Pair) => new X509Certificate(cert).raw;
  const forms = {
    rfc9440: (pair: Pair) => `:${der(pair).toString('base64')}:`,
    pem: (pair: Pair) => encodeURIComponent(pair.cert),
    xfcc: (pair: Pair) => `Hash=${createHash('sha256').update(der(pair)).digest('hex')};Subject="CN=alice"`,
  } as const;

  async function call(gate: Gate, token: string, headers: Record<string, string>) {
    const answer = await gate.post(token, CALL, { ...HEADERS, ...headers });
    return [answer.status, answer.body?.error?.data?.reason ?? 'allowed'];
  }

  it.each(Object.entries(forms))('is accepted in the form %s', async (format, write) => {
    const gate = await start('127.0.0.1', { name: 'X-Client', format });
    try {
      const token = await gate.token({ scope: 'probe', cnf: { 'x5t#S256': thumbprint(alice) } });
      expect(await call(gate, token, { 'x-client': write(alice) })).toEqual([200, 'allowed']);
      expect(await call(gate, token, { 'x-client': write(thief) })).toEqual([401, 'token_binding']);
      expect(await call(gate, token, {})).toEqual([401, 'token_binding']);
      expect(await call(gate, token, { 'x-other': write(alice) })).toEqual([401, 'token_binding']);
      expect(await call(gate, token, { 'x-client': 'nonsense' })).toEqual([400, 'request_malformed']);
    } finally {
      await gate.close();
    }
  });

  it('is ignored from an untrusted peer', async () => {
    const gate = await start('10.0.0.0/8', { name: 'X-Client' });
    try {
      const token = await gate.token({ scope: 'probe', cnf: { 'x5t#S256': thumbprint(alice) } });
      expect(await call(gate, token, { 'x-client': forms.rfc9440(alice) })).toEqual([401, 'token_binding']);
    } finally {
      await gate.close();
    }
  });

  it('does not make an unbound token valid with "mtls: required"', async () => {
    const gate = await start('1', { name: 'X-Client' }, { mtls: 'required' });
    try {
      const free = await gate.token({ scope: 'probe' });
      expect(await call(gate, free, { 'x-client': forms.rfc9440(alice) })).toEqual([401, 'token_binding']);
      const bound = await gate.token({ scope: 'probe', cnf: { 'x5t#S256': thumbprint(alice) } });
      expect(await call(gate, bound, { 'x-client': forms.rfc9440(alice) })).toEqual([200, 'allowed']);
      const { body } = await gate.get('/.well-known/oauth-protected-resource');
      expect(body.tls_client_certificate_bound_access_tokens).toBe(true);
    } finally {
      await gate.close();
    }
  });

  it.each([
    [{ issuers: [{ issuer: 'https://i.example', mtls: 'required' }] }, {}, 'TLS_CLIENT_CA_FILE: is required'],
    [
      { issuers: [{ issuer: 'https://i.example' }], client_certificate_header: { name: 'x' } },
      {},
      'TRUST_PROXY: must name the proxy',
    ],
  ])('prevents startup when no certificate could ever arrive: %j', async (identity, env, fault) => {
    await expect(Gate.start({ issuer, identity, env })).rejects.toThrow(fault);
  });
});
