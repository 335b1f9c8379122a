/** HTTP variants over real sockets: request targets, repeated headers and forwarded addresses. */
import { generateKeyPair, generateProof } from 'dpop';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { ECHO_TEXT } from './cases/bad-bodies.js';
import { sendRaw, type RawAnswer } from './cases/raw-http.js';
import { freePort, Gate, type AuditLogLine } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';
import { ProbeModule, Runs } from './support/probe.tools.js';

const NAME = 'gate.example.com';
/** The documented address rule for one tool. */
const INSIDE = `@id("inside") forbid (principal, action == Action::"echo", resource)
unless { context has ip && (context.ip.isInRange(ip("10.0.0.0/8")) || context.ip.isInRange(ip("fd00::/8"))) };`;

type Header = readonly [string, string];

let issuer: TestIssuer;
let gate: Gate;
let token: string;
/** A gateway behind an HTTPS proxy; the test acts as the proxy. */
let proxied: Gate;
let proxiedToken: string;
let byForwarded: Gate;
let origins: ReadonlyMap<Gate, string>;

beforeAll(async () => {
  issuer = await TestIssuer.start();
  const start = (env: Record<string, string> = {}, policy?: Record<string, string>) =>
    Gate.start({ issuer, database: false, imports: [ProbeModule], env, ...(policy && { policy }) });
  const ports = [await freePort(), await freePort()];
  const behind = (port: number, more = {}) =>
    start(
      { PORT: String(port), PUBLIC_URL: `https://${NAME}`, TRUST_PROXY: '127.0.0.1,10.0.0.0/8', ...more },
      { 'inside.cedar': INSIDE },
    );
  gate = await start();
  proxied = await behind(ports[0] as number);
  byForwarded = await behind(ports[1] as number, { TRUST_PROXY_HEADERS: 'forwarded' });
  origins = new Map([
    [gate, gate.origin],
    [proxied, `http://127.0.0.1:${ports[0]}`],
    [byForwarded, `http://127.0.0.1:${ports[1]}`],
  ]);
  const exp = Math.floor(Date.now() / 1000) + 3000;
  token = await gate.token({ scope: 'probe', exp });
  proxiedToken = await proxied.token({ scope: 'probe', exp });
}, 120_000);
afterAll(async () => {
  await Promise.all([gate, proxied, byForwarded].map((one) => one?.close()));
  await issuer?.stop();
});

interface Seen {
  readonly answer: RawAnswer;
  readonly lines: AuditLogLine[];
  readonly ran: number;
}

async function send(to: Gate, headers: readonly Header[], line?: string, body = ECHO_TEXT): Promise<Seen> {
  const runs = () => to.app.nest.get(Runs).names.length;
  const [before, ranBefore] = [(await to.settledAuditLog()).length, runs()];
  const answer = await sendRaw(origins.get(to) as string, {
    ...(line !== undefined && { line }),
    headers: [
      ['Content-Type', 'application/json'],
      ['Accept', 'application/json'],
      ['Content-Length', String(Buffer.byteLength(body))],
      ...headers,
    ],
    body,
  });
  return { answer, lines: (await to.settledAuditLog()).slice(before), ran: runs() - ranBefore };
}

const bearer = (): Header => ['Authorization', `Bearer ${token}`];
const host = (): Header => ['Host', new URL(gate.origin).host];
const port = () => new URL(gate.origin).port;

function expectOriginRejected({ answer, lines, ran }: Seen): void {
  expect([answer.status, answer.body?.error?.data?.reason, ran]).toEqual([403, 'origin_rejected', 0]);
  expect(lines).toMatchObject([{ decision: 'deny', reason: 'origin_rejected', principal: null }]);
}

describe('absolute form of the request target (RFC 9112 section 3.2.2)', () => {
  it.each<[string, () => string, () => Header]>([
    ['the address of the server', () => `http://127.0.0.1:${port()}/mcp`, host],
    ['another name of the server', () => `http://localhost:${port()}/mcp`, host],
    ['capitals', () => `HTTP://LOCALHOST:${port()}/mcp`, host],
    ['IPv6', () => `http://[::1]:${port()}/mcp`, host],
    ['a trailing dot', () => `http://localhost.:${port()}/mcp`, () => ['Host', `localhost.:${port()}`]],
  ])('is accepted with %s', async (_what, target, named) => {
    const { answer, lines, ran } = await send(gate, [named(), bearer()], `POST ${target()} HTTP/1.1`);
    expect([answer.status, ran]).toEqual([200, 1]);
    expect(lines[0]).toMatchObject({ event: 'decision', decision: 'allow', tool: 'echo' });
  });

  it.each<[string, string, () => Header]>([
    ['another host', 'http://evil.com/mcp', host],
    ['another host that also the Host header names', 'http://evil.com/mcp', () => ['Host', 'evil.com']],
    [
      'the host of the server when the Host header names another',
      'http://localhost/mcp',
      () => ['Host', 'evil.com'],
    ],
    ['the host of the server as a prefix of another', 'http://localhost.evil.com/mcp', host],
    ['a port out of range', 'http://localhost:99999/mcp', host],
    ['https on a connection without TLS', 'https://127.0.0.1/mcp', host],
  ])('is rejected with %s', async (_what, target, named) => {
    expectOriginRejected(await send(gate, [named(), bearer()], `POST ${target} HTTP/1.1`));
  });

  it.each(['http://user@localhost/mcp', 'http://localhost@evil.com/mcp', 'ftp://localhost/mcp'])(
    'is rejected: %s',
    async (target) => {
      const { answer, ran } = await send(gate, [host(), bearer()], `POST ${target} HTTP/1.1`);
      expect([400, 403, 404]).toContain(answer.status);
      expect(ran).toBe(0);
    },
  );

  it('is rejected without a token and with a token in the query string', async () => {
    const target = `http://localhost:${port()}/mcp`;
    const without = await send(gate, [host()], `POST ${target} HTTP/1.1`);
    expect([without.answer.status, without.ran]).toEqual([401, 0]);
    const inQuery = await send(gate, [host(), bearer()], `POST ${target}?access_token=x HTTP/1.1`);
    expect([inQuery.answer.status, inQuery.ran]).toEqual([400, 0]);
    expect(inQuery.lines).toMatchObject([{ decision: 'deny', reason: 'request_malformed' }]);
  });

  it('accepts only a DPoP proof for the public URL', async () => {
    const keys = await generateKeyPair('ES256');
    const jkt = await calculateJwkThumbprint(await exportJWK(keys.publicKey));
    const bound = await gate.token({ scope: 'probe', cnf: { jkt } });
    const target = `http://localhost:${port()}/mcp`;
    const present = async (htu: string) => {
      const proof = await generateProof(keys, htu, 'POST', undefined, bound);
      return send(
        gate,
        [host(), ['Authorization', `DPoP ${bound}`], ['DPoP', proof]],
        `POST ${target} HTTP/1.1`,
      );
    };
    const good = await present(gate.url);
    expect([good.answer.status, good.ran]).toEqual([200, 1]);
    const bad = await present('http://localhost/elsewhere');
    expect([bad.answer.status, bad.answer.body.error.data.reason, bad.ran]).toEqual([
      401,
      'token_binding',
      0,
    ]);
  });

  it('works for the other endpoints', async () => {
    const line = `GET http://localhost:${port()}/health/live HTTP/1.1`;
    expect((await sendRaw(gate.origin, { line, headers: [host()] })).status).toBe(200);
  });
});

describe('repeated headers', () => {
  const versions = (...values: string[]): Header[] =>
    values.map((value) => ['MCP-Protocol-Version', value] as const);

  it('count as one value when equal', async () => {
    const { answer, ran } = await send(gate, [host(), bearer(), ...versions('2025-11-25', '2025-11-25')]);
    expect([answer.status, ran]).toEqual([200, 1]);
  });

  it('are accepted for equal Origin values and rejected for different ones', async () => {
    const own: Header = ['Origin', gate.origin];
    const { answer, ran } = await send(gate, [host(), bearer(), own, own]);
    expect([answer.status, ran]).toEqual([200, 1]);
    expect(answer.headers['access-control-allow-origin']).toBe(gate.origin);
    expectOriginRejected(await send(gate, [host(), bearer(), own, ['Origin', 'http://localhost:1']]));
  });

  it.each([
    ['versions', versions('2025-11-25', '2025-06-18')],
    ['names', [['Mcp-Name', 'echo'] as const, ['Mcp-Name', 'open'] as const]],
    ['methods', [['Mcp-Method', 'tools/call'] as const, ['Mcp-Method', 'tools/list'] as const]],
  ])('are rejected for different %s', async (_what, headers) => {
    const { answer, lines, ran } = await send(gate, [host(), bearer(), ...headers]);
    expect([answer.status, answer.body.error.code, ran]).toEqual([400, -32020, 0]);
    expect(lines).toMatchObject([{ decision: 'deny', reason: 'request_malformed' }]);
  });
});

describe('initialize request', () => {
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: {
      protocolVersion: '2025-06-18',
      capabilities: { roots: null, sampling: {} },
      clientInfo: { name: 'c', version: '1', title: null },
      _meta: null,
    },
  });

  it.each(['1999-01-01', '2027-01-01', 'DRAFT'])(
    'negotiates the revision with the unknown version header %s',
    async (version) => {
      const { answer } = await send(
        gate,
        [host(), bearer(), ['MCP-Protocol-Version', version]],
        undefined,
        body,
      );
      expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json']);
      expect(answer.body.result.protocolVersion).toBe('2025-06-18');
    },
  );

  it('is rejected without a token when the version header is unknown', async () => {
    const { answer } = await send(gate, [host(), ['MCP-Protocol-Version', '1999-01-01']], undefined, body);
    expect(answer.status).toBe(401);
  });

  it('is the only method that accepts an unknown version header', async () => {
    const { answer, ran } = await send(gate, [host(), bearer(), ['MCP-Protocol-Version', '1999-01-01']]);
    expect([answer.status, ran]).toEqual([400, 0]);
  });
});

it('allows a browser at a permitted origin to send every header of the transport', async () => {
  const answer = await gate.get('/mcp', {
    method: 'OPTIONS',
    headers: {
      origin: gate.origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,mcp-param-region,x-evil',
    },
  });
  const allowed = (answer.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(', ');
  expect(answer.status).toBe(204);
  expect(allowed).toEqual(
    expect.arrayContaining(['mcp-session-id', 'last-event-id', 'mcp-param-region', 'authorization']),
  );
  expect(allowed).not.toContain('x-evil');
});

describe('gateway behind a proxy', () => {
  const ask = (to: Gate, ...headers: Header[]) =>
    send(to, [['Host', NAME], ['Authorization', `Bearer ${proxiedToken}`], ...headers]);
  const XFP: Header = ['X-Forwarded-Proto', 'HTTPS'];

  it.each<[string, Header[], string]>([
    ['an address with a port', [XFP, ['X-Forwarded-For', '10.1.2.3:51008']], '10.1.2.3'],
    ['IPv6 with a port', [XFP, ['X-Forwarded-For', '[FD00::7]:51008']], 'fd00::7'],
    ['IPv6 in brackets', [XFP, ['X-Forwarded-For', '[fd00::7]']], 'fd00::7'],
    ['mapped IPv4', [XFP, ['X-Forwarded-For', '::ffff:10.1.2.3']], '10.1.2.3'],
    [
      'two lines',
      [XFP, ['X-Forwarded-For', '192.0.2.1'], ['X-Forwarded-For', '10.1.2.3:1, 10.0.0.9:2']],
      '192.0.2.1',
    ],
    ['Forwarded alone', [['Forwarded', 'for="[fd00::7]:51008";proto=HTTPS']], 'fd00::7'],
  ])('records %s as a plain address', async (_what, headers, ip) => {
    const isInside = /^(10|fd)/.test(ip);
    const { answer, lines, ran } = await ask(proxied, ...headers);
    expect([answer.status, ran]).toEqual(isInside ? [200, 1] : [403, 0]);
    expect(new Set(lines.map(({ request }) => request.ip))).toEqual(new Set([ip]));
  });

  it.each<[string, Header[], string]>([
    [
      "an address before the client's address",
      [XFP, ['X-Forwarded-For', '10.1.2.3, 192.0.2.1:51008']],
      '192.0.2.1',
    ],
    ['a value that is not an address', [XFP, ['X-Forwarded-For', 'inside.example.com']], 'unknown'],
    [
      'Forwarded in addition to X-Forwarded-For',
      [XFP, ['X-Forwarded-For', '192.0.2.1'], ['Forwarded', 'for=10.1.2.3']],
      '192.0.2.1',
    ],
    [
      "a Forwarded entry before the client's entry",
      [['Forwarded', 'for=10.1.2.3, for="192.0.2.1:7";proto=https']],
      '192.0.2.1',
    ],
  ])('does not trust %s', async (_what, headers, ip) => {
    const { answer, lines, ran } = await ask(proxied, ...headers);
    expect([answer.status, answer.body.error.data.reason, ran]).toEqual([403, 'condition_failed', 0]);
    expect(lines).toMatchObject([{ decision: 'deny', reason: 'condition_failed', request: { ip } }]);
  });

  it('reads only the header that TRUST_PROXY_HEADERS names', async () => {
    const inside: Header = ['Forwarded', 'for=10.1.2.3;proto=https'];
    const served = await ask(
      byForwarded,
      inside,
      ['X-Forwarded-For', '192.0.2.1'],
      ['X-Forwarded-Proto', 'http'],
    );
    expect([served.answer.status, served.lines[0]?.request.ip]).toEqual([200, '10.1.2.3']);
    expectOriginRejected(await ask(byForwarded, XFP, ['X-Forwarded-For', '10.1.2.3']));
  });

  it.each<[string, Header[]]>([
    ['http', [['X-Forwarded-Proto', 'HTTP']]],
    ['http after https', [['X-Forwarded-Proto', 'HTTPS, Http']]],
    ['http in Forwarded', [['Forwarded', 'for=10.1.2.3;proto=http']]],
    ['https only in the Forwarded entry of the client', [['Forwarded', 'proto=https, for=10.1.2.3']]],
  ])('rejects %s before authentication', async (_what, headers) => {
    expectOriginRejected(await ask(proxied, ...headers));
  });

  it('accepts an absolute https target and rejects an http target when the proxy reports https', async () => {
    const headers: Header[] = [
      ['Host', `${NAME}.`],
      ['Authorization', `Bearer ${proxiedToken}`],
      XFP,
      ['X-Forwarded-For', '10.1.2.3'],
    ];
    const served = await send(proxied, headers, `POST https://${NAME}/mcp HTTP/1.1`);
    expect([served.answer.status, served.ran]).toEqual([200, 1]);
    expectOriginRejected(await send(proxied, headers, `POST http://${NAME}/mcp HTTP/1.1`));
  });
});
