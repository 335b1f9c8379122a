/** Hostile HTTP: Host, Origin, methods, paths and request smuggling. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { ECHO_TEXT } from './cases/bad-bodies.js';
import { exchangeBytes, parseAnswer, type RawAnswer, rawRequest, sendRaw } from './cases/raw-http.js';
import { common, contentLength, expectNoLeak, type Header, ObservedGate } from './support/observed-gate.js';

let observed: ObservedGate;

beforeAll(async () => {
  observed = await ObservedGate.start();
});
afterAll(() => observed.close());
afterEach(() => observed.expectAlive());

async function expectOriginRejected(send: () => Promise<RawAnswer>): Promise<void> {
  const { answer, lines, ran } = await observed.observe(send);
  expect({
    status: answer.status,
    code: answer.body?.error?.code,
    reason: answer.body?.error?.data?.reason,
  }).toEqual({
    status: 403,
    code: 403,
    reason: 'origin_rejected',
  });
  expect(answer.headers['www-authenticate']).toBeUndefined();
  expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  expect(lines).toEqual([
    expect.objectContaining({
      event: 'authentication',
      decision: 'deny',
      reason: 'origin_rejected',
      principal: null,
    }),
  ]);
  expect(ran).toBe(0);
  expectNoLeak(answer);
}

async function expectServed(send: () => Promise<RawAnswer>): Promise<RawAnswer> {
  const { answer, lines, ran } = await observed.observe(send);
  expect([answer.status, ran]).toEqual([200, 1]);
  await observed.gate.waitForAuditLog((line) => line.decision_id === lines[0]?.id);
  return answer;
}

describe('Host header', () => {
  it.each<[string, () => Header[]]>([
    ['evil.com', () => [['Host', 'evil.com']]],
    ['with the gateway name as a prefix', () => [['Host', `127.0.0.1.evil.com:${observed.port}`]]],
    ['with userinfo', () => [['Host', `user@127.0.0.1:${observed.port}`]]],
    ['with the gateway name as userinfo', () => [['Host', `127.0.0.1:${observed.port}@evil.com`]]],
    ['with an empty value', () => [['Host', '']]],
    ['with a path', () => [['Host', `127.0.0.1:${observed.port}/x`]]],
    ['with a query', () => [['Host', `127.0.0.1:${observed.port}?x`]]],
    ['with two names', () => [['Host', '127.0.0.1 evil.com']]],
    ['with a port out of range', () => [['Host', '127.0.0.1:99999']]],
    ['with a port of letters', () => [['Host', '127.0.0.1:abc']]],
    ['with two trailing dots', () => [['Host', 'localhost..']]],
    ['0.0.0.0', () => [['Host', '0.0.0.0']]],
    ['with an IPv4-mapped IPv6 address', () => [['Host', '[::ffff:127.0.0.1]']]],
    ['with an IPv6 address without brackets', () => [['Host', '::1']]],
    [
      'evil.com with forwarded headers that name the gateway',
      () => [
        ['Host', 'evil.com'],
        ['X-Forwarded-Host', '127.0.0.1'],
        ['Forwarded', 'host=127.0.0.1'],
      ],
    ],
    ['evil.com before a second, valid one', () => [['Host', 'evil.com'], observed.host]],
  ])('rejects the Host %s with 403', (_name, headers) =>
    expectOriginRejected(() => observed.echoOver(headers())),
  );

  it('rejects HTTP/1.0 without a Host with 403', () =>
    expectOriginRejected(() => observed.echoOver([], 'POST /mcp HTTP/1.0')));

  it('rejects HTTP/1.1 without a Host with 400', async () => {
    const { answer, ran } = await observed.observe(() => observed.echoOver([]));
    expect([answer.status, ran]).toEqual([400, 0]);
  });

  it('rejects a second Host (RFC 9112 section 3.2)', async () => {
    const { answer, ran } = await observed.observe(() =>
      observed.echoOver([observed.host, ['Host', 'evil.com']]),
    );
    expect([400, 403]).toContain(answer.status);
    expect(ran).toBe(0);
  });

  it.each<[string, () => string]>([
    ['of IPv6', () => `[::1]:${observed.port}`],
    ['localhost with another port', () => 'localhost:1'],
    ['in capitals', () => `LOCALHOST:${observed.port}`],
    ['with a trailing dot', () => `localhost.:${observed.port}`],
  ])('serves a request with the Host %s', (_name, name) =>
    expectServed(() => observed.echoOver([['Host', name()]])),
  );
});

describe('Origin header', () => {
  it.each<[string, () => Header[]]>([
    ['null', () => [['Origin', 'null']]],
    ['evil.com', () => [['Origin', 'http://evil.com']]],
    ['with another port', () => [['Origin', 'http://127.0.0.1:1']]],
    ['without the port', () => [['Origin', 'http://127.0.0.1']]],
    ['with another scheme', () => [['Origin', `https://127.0.0.1:${observed.port}`]]],
    ['with a trailing slash', () => [['Origin', `http://127.0.0.1:${observed.port}/`]]],
    ['with the gateway origin as a prefix', () => [['Origin', `http://127.0.0.1:${observed.port}.evil.com`]]],
    ['with userinfo', () => [['Origin', `http://x@127.0.0.1:${observed.port}`]]],
    ['with an empty value', () => [['Origin', '']]],
    ['with two values', () => [['Origin', `http://127.0.0.1:${observed.port}, http://evil.com`]]],
    [
      'in two header fields',
      () => [
        ['Origin', `http://127.0.0.1:${observed.port}`],
        ['Origin', 'http://evil.com'],
      ],
    ],
  ])('rejects the Origin %s with 403', (_name, headers) =>
    expectOriginRejected(() => observed.echoOver([observed.host, ...headers()])),
  );

  it.each<[string, () => string]>([
    ['of the gateway', () => `http://127.0.0.1:${observed.port}`],
    ['of the gateway under another name', () => `http://localhost:${observed.port}`],
    ['of the gateway in capital letters', () => `HTTP://LOCALHOST:${observed.port}`],
  ])('serves the Origin %s and allows only this origin to read the response', async (_name, origin) => {
    const answer = await expectServed(() => observed.echoOver([observed.host, ['Origin', origin()]]));
    expect(answer.headers['access-control-allow-origin']).toBe(origin());
    expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
  });
});

describe('HTTP methods other than POST', () => {
  it.each(['GET', 'DELETE', 'PUT', 'PATCH', 'TRACE', 'PROPFIND', 'QUERY', 'SEARCH'])(
    'rejects %s with 405',
    async (method) => {
      const { answer, ran } = await observed.observe(() =>
        observed.echoOver([observed.host], `${method} /mcp HTTP/1.1`),
      );
      expect([answer.status, answer.headers.allow, ran]).toEqual([405, 'POST', 0]);
      expectNoLeak(answer);
    },
  );

  it('rejects HEAD with 405', async () => {
    const { answer, ran } = await observed.observe(() =>
      sendRaw(observed.gate.origin, {
        line: 'HEAD /mcp HTTP/1.1',
        headers: [observed.host, observed.bearer],
      }),
    );
    expect([answer.status, ran]).toEqual([405, 0]);
  });

  it('responds to OPTIONS without a tool run', async () => {
    const { answer, ran } = await observed.observe(() =>
      observed.echoOver([observed.host], 'OPTIONS /mcp HTTP/1.1'),
    );
    expect([answer.status, ran]).toEqual([204, 0]);
  });

  it('ignores X-HTTP-Method-Override', async () => {
    const { answer, ran } = await observed.observe(() =>
      observed.echoOver([observed.host, ['X-HTTP-Method-Override', 'POST']], 'GET /mcp HTTP/1.1'),
    );
    expect([answer.status, ran]).toEqual([405, 0]);
  });

  it.each(['GET', 'OPTIONS'])('rejects %s from a foreign origin with 403', (method) =>
    expectOriginRejected(() =>
      observed.echoOver([observed.host, ['Origin', 'http://evil.com']], `${method} /mcp HTTP/1.1`),
    ),
  );
});

describe('request paths', () => {
  const paths = [
    '/mcp/',
    '/MCP',
    '/Mcp/',
    '/mcp//',
    '//mcp',
    '/mcp%2f',
    '/mcp%2F',
    '/%6dcp',
    '/mcp/x',
    '/mcp/.',
    '/mcp/../mcp',
    '/./mcp',
    '/mcp;x=1',
    '/mcp%00',
    '/mcp%20',
    '/mcp.',
    '/mcp\\',
    '/health/../mcp',
    '/.well-known/../mcp',
    '/mcp%',
    '/%',
    '/.well-known/oauth-protected-resource/%',
    '*',
  ];

  it.each(paths)('rejects %s without a token', async (path) => {
    const { answer, ran } = await observed.observe(() =>
      sendRaw(observed.gate.origin, {
        line: `POST ${path} HTTP/1.1`,
        headers: [...common(), observed.host, contentLength(ECHO_TEXT)],
        body: ECHO_TEXT,
      }),
    );
    expect([400, 401, 404]).toContain(answer.status);
    expect(ran).toBe(0);
    expectNoLeak(answer);
  });

  it.each(['http://evil.com/mcp', 'http://evil.com:80/mcp', 'https://127.0.0.1/mcp'])(
    'rejects the request target %s',
    async (target) => {
      const { answer, ran } = await observed.observe(() =>
        observed.echoOver([observed.host], `POST ${target} HTTP/1.1`),
      );
      expect([400, 403, 404]).toContain(answer.status);
      expect(ran).toBe(0);
    },
  );
});

describe('request smuggling', () => {
  const inner = () => observed.echoBytes();

  it.each<[string, Header[], (hidden: string) => string]>([
    [
      'Content-Length and Transfer-Encoding',
      [
        ['Content-Length', '4'],
        ['Transfer-Encoding', 'chunked'],
      ],
      (hidden) => `0\r\n\r\n${hidden}`,
    ],
    [
      'Transfer-Encoding and Content-Length',
      [
        ['Transfer-Encoding', 'chunked'],
        ['Content-Length', '4'],
      ],
      (hidden) => `0\r\n\r\n${hidden}`,
    ],
    [
      'two lengths',
      [
        ['Content-Length', '0'],
        ['Content-Length', '2'],
      ],
      (hidden) => hidden,
    ],
    ['the transfer coding xchunked', [['Transfer-Encoding', 'xchunked']], (hidden) => `0\r\n\r\n${hidden}`],
    ['the transfer coding identity', [['Transfer-Encoding', 'identity']], (hidden) => `0\r\n\r\n${hidden}`],
    [
      'the transfer codings chunked, identity',
      [['Transfer-Encoding', 'chunked, identity']],
      (hidden) => `0\r\n\r\n${hidden}`,
    ],
    [
      'two transfer codings chunked',
      [
        ['Transfer-Encoding', 'chunked'],
        ['Transfer-Encoding', 'chunked'],
      ],
      (hidden) => `0\r\n\r\n${hidden}`,
    ],
    ['a negative length', [['Content-Length', '-1']], (hidden) => hidden],
    ['a length with a plus sign', [['Content-Length', '+0']], (hidden) => hidden],
    ['a hexadecimal length', [['Content-Length', '0x0']], (hidden) => hidden],
    ['a length out of range', [['Content-Length', '99999999999999999999']], (hidden) => hidden],
    ['a space before the colon', [['Content-Length ', '0']], (hidden) => hidden],
    [
      'a folded header',
      [
        ['X-Folded', 'a\r\n b'],
        ['Content-Length', '0'],
      ],
      (hidden) => hidden,
    ],
    [
      'a chunk without a size',
      [['Transfer-Encoding', 'chunked']],
      (hidden) => `zz\r\nhello\r\n0\r\n\r\n${hidden}`,
    ],
    ['line feeds without carriage returns', [['Transfer-Encoding', 'chunked']], (hidden) => `0\n\n${hidden}`],
  ])(
    'responds to %s with 400 and closes the connection before the second request',
    async (_name, headers, around) => {
      const { answer, ran } = await observed.observe(async () =>
        exchangeBytes(
          observed.gate.origin,
          rawRequest({
            headers: [observed.host, ...common(), observed.bearer, ...headers],
            body: around(inner().toString('latin1')),
          }),
        ),
      );
      expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400']);
      expect(ran).toBe(0);
    },
  );

  it('serves two pipelined requests', async () => {
    const before = observed.runs;
    const answers = await exchangeBytes(observed.gate.origin, Buffer.concat([inner(), inner()]));
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
    expect(observed.runs).toBe(before + 2);
  });

  it.each<[string, number, () => Buffer]>([
    [
      'headers of 20 KB',
      431,
      () =>
        rawRequest({
          headers: [observed.host, observed.bearer, ['X-Long', 'x'.repeat(20_000)]],
          body: ECHO_TEXT,
        }),
    ],
    ['bytes that are not HTTP', 400, () => Buffer.from('\x16\x03\x01 hello\r\n\r\n')],
    ['an invalid header', 400, () => Buffer.from('POST /mcp HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n')],
  ])('rejects %s with %d and one record', async (_name, status, bytes) => {
    const { answer, lines, ran } = await observed.observe(() => exchangeBytes(observed.gate.origin, bytes()));
    const parsed = parseAnswer(answer);
    expect([parsed.status, parsed.headers.connection, ran]).toEqual([status, 'close', 0]);
    expect(lines).toEqual([
      expect.objectContaining({
        id: parsed.body.error.data.decision_id,
        event: 'authentication',
        decision: 'deny',
        reason: 'request_malformed',
        principal: null,
        request: expect.objectContaining({ ip: '127.0.0.1', method: null }),
      }),
    ]);
  });

  it('writes no record for a request that ends within its header section', async () => {
    const socket = connect(Number(observed.port), '127.0.0.1');
    const { lines } = await observed.observe(async () => {
      socket.end('POST /mcp HTTP/1.1\r\nHost: x');
      await once(socket.resume(), 'close');
    });
    expect(lines).toEqual([]);
  });
});
