/**
 * GET (stream) and DELETE (session) requests: the same rejections as for POST, and 405 for a valid request.
 */
import { RevocationService } from '../src/revocation/revocation.service.js';
import { Gate, type Answer, type AuditLogLine } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';

const METHODS = ['GET', 'DELETE', 'PUT', 'PATCH'] as const;

let issuer: TestIssuer;
let down: TestIssuer;
let gate: Gate;
let limited: Gate;
let unavailable: Gate;
let concealed: Gate;

beforeAll(async () => {
  issuer = await TestIssuer.start();
  down = await TestIssuer.start();
  down.failing = 503;
  gate = await Gate.start({ issuer });
  limited = await Gate.start({ issuer, database: false, env: { RATE_LIMIT_PER_MINUTE: '1' } });
  unavailable = await Gate.start({ issuer: down, database: false });
  concealed = await Gate.start({ issuer, database: false, env: { MCP_PATH: '/tools/v1' } });
});
afterAll(async () => {
  await Promise.all([gate, limited, unavailable, concealed].map((one) => one.close()));
  await Promise.all([issuer.stop(), down.stop()]);
});

interface Sent {
  readonly answer: Answer;
  readonly lines: AuditLogLine[];
}

async function send(to: Gate, method: string, headers: Record<string, string>, query = ''): Promise<Sent> {
  const before = to.auditLog().length;
  const answer = await to.get(`/mcp${query}`, {
    method,
    headers: {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...headers,
    },
    ...(method === 'POST' && { body: JSON.stringify({ jsonrpc: '2.0', id: null, method: 'ping' }) }),
  });
  return { answer, lines: to.auditLog().slice(before) };
}

/** The parts of a response and its record that do not depend on the single request. */
function lasting({ answer, lines }: Sent): object {
  const { data, ...error } = answer.body.error;
  return {
    status: answer.status,
    challenge: answer.headers.get('www-authenticate'),
    retry: answer.headers.has('retry-after'),
    error: { ...error, message: String(error.message).replace(/\d+ seconds?$/, 'N seconds') },
    data: { ...data, decision_id: 'ID', ...(data.retry_after !== undefined && { retry_after: 0 }) },
    records: lines.map(({ event, decision, reason, rule, principal, tool }) => ({
      event,
      decision,
      reason,
      rule,
      principal,
      tool,
    })),
  };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

interface Refusal {
  readonly name: string;
  readonly status: number;
  readonly reason: string;
  readonly to: () => Gate;
  readonly headers: () => Promise<Record<string, string>>;
  readonly query?: string;
}

const REFUSALS: readonly Refusal[] = [
  { name: 'no token', status: 401, reason: 'token_missing', to: () => gate, headers: async () => ({}) },
  {
    name: 'an expired token',
    status: 401,
    reason: 'token_expired',
    to: () => gate,
    headers: async () => bearer(await gate.token({ exp: Math.floor(Date.now() / 1000) - 3600 })),
  },
  {
    name: 'a token for another audience',
    status: 401,
    reason: 'token_audience',
    to: () => gate,
    headers: async () => bearer(await issuer.mint('https://other.example/mcp')),
  },
  {
    name: 'a revoked token',
    status: 401,
    reason: 'token_revoked',
    to: () => gate,
    headers: async () => bearer(await gate.token({ sub: 'mallory' })),
  },
  {
    name: 'a token in the query string',
    status: 400,
    reason: 'request_malformed',
    to: () => gate,
    headers: async () => ({}),
    query: '?access_token=x',
  },
  {
    name: 'a foreign Origin',
    status: 403,
    reason: 'origin_rejected',
    to: () => gate,
    headers: async () => ({ ...bearer(await gate.token()), origin: 'https://evil.example' }),
  },
  {
    name: 'a caller over the rate limit',
    status: 429,
    reason: 'rate_limited',
    to: () => limited,
    headers: async () => bearer(await limited.token({ sub: 'flood' })),
  },
  {
    name: 'an unreachable issuer',
    status: 503,
    reason: 'identity_unavailable',
    to: () => unavailable,
    headers: async () => bearer(await unavailable.token()),
  },
];

describe('methods other than POST', () => {
  beforeAll(async () => {
    await gate.app.nest.get(RevocationService).add({
      kind: 'subject',
      issuer: issuer.url,
      value: 'mallory',
      issuedBefore: Math.floor(Date.now() / 1000) + 60,
      by: 'test',
      reason: null,
    });
    await send(limited, 'POST', bearer(await limited.token({ sub: 'flood' })));
  });

  describe.each(METHODS)('%s', (method) => {
    it.each(REFUSALS)('rejects $name like a POST, with $status and one record', async (one) => {
      const [headers, to, query] = [await one.headers(), one.to(), one.query ?? ''];
      const post = await send(to, 'POST', headers, query);
      const other = await send(to, method, headers, query);
      expect({ status: other.answer.status, reason: other.answer.body.error.data.reason }).toEqual({
        status: one.status,
        reason: one.reason,
      });
      expect(other.answer.body.error.data.decision_id).toBe(other.lines[0]?.id);
      expect(other.lines).toHaveLength(1);
      expect(lasting(other)).toEqual(lasting(post));
    });

    it('responds 405 with Allow to a valid caller, without a record', async () => {
      const { answer, lines } = await send(gate, method, bearer(await gate.token()));
      expect([answer.status, answer.headers.get('allow'), lines]).toEqual([405, 'POST', []]);
      expect(answer.headers.has('www-authenticate')).toBe(false);
    });

    it('counts towards the rate limit', async () => {
      const headers = bearer(await limited.token({ sub: `counted-${method}` }));
      expect((await send(limited, method, headers)).answer.status).toBe(405);
      expect((await send(limited, 'POST', headers)).answer.status).toBe(429);
    });
  });
});

describe('response with Retry-After', () => {
  it.each<[string, () => Gate]>([
    ['rate limit', () => limited],
    ['outage of the issuer', () => unavailable],
  ])('states the seconds in its message and in data.retry_after (%s)', async (_name, to) => {
    const token = await to().token({ sub: 'patient' });
    await to().callTool(token, 'read_customer', { customer_id: '123' });
    const { headers, body } = await to().callTool(token, 'read_customer', { customer_id: '123' });
    const seconds = Number(headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(body.error.data.retry_after).toBe(seconds);
    expect(body.error.message).toMatch(new RegExp(`: retry in ${seconds} seconds?$`));
  });

  it('states the seconds for paths other than the MCP endpoint too', async () => {
    const { headers, body } = await unavailable.get('/.well-known/oauth-authorization-server');
    const seconds = Number(headers.get('retry-after'));
    expect(body.error).toEqual({
      code: 'identity_unavailable',
      message: `The identity provider cannot be reached: retry in ${seconds} seconds`,
      retry_after: seconds,
    });
  });
});

describe('unknown path', () => {
  const HOSTILE = [
    '/',
    '/sse',
    '/messages',
    '/mcp/sse',
    '/%3Cscript%3Ealert(1)%3C/script%3E',
    '/mcp%0d%0aset-cookie:a=b',
    '/x?y=%22%27',
    '/.well-known/openid-configuration',
    '/.well-known/oauth-protected-resource/other',
  ];

  it.each(HOSTILE)(
    'GET %s returns 404 with the endpoint path and without the requested path',
    async (path) => {
      const answer = await gate.get(path);
      expect(answer.status).toBe(404);
      expect(answer.body).toEqual({
        error: { code: 'not_found', message: 'Not found: the MCP endpoint is /mcp' },
      });
    },
  );

  it('returns the configured endpoint path', async () => {
    const answer = await concealed.get('/mcp', { method: 'POST', body: '{}' });
    expect([answer.status, answer.body.error.message]).toEqual([
      404,
      'Not found: the MCP endpoint is /tools/v1',
    ]);
  });
});
