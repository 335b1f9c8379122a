/** The basic contract of the server: discovery, tokens, tools and health. */
import { Gate, PEOPLE } from './support/gate.js';

let gate: Gate;
let metadataUrl: string;

beforeAll(async () => {
  gate = await Gate.start();
  metadataUrl = `${gate.origin}/.well-known/oauth-protected-resource/mcp`;
});
afterAll(() => gate.close());

describe('discovery documents', () => {
  it('serves protected resource metadata', async () => {
    const [atRoot, atPath] = await Promise.all([
      gate.get('/.well-known/oauth-protected-resource'),
      gate.get('/.well-known/oauth-protected-resource/mcp'),
    ]);
    expect(atRoot.status).toBe(200);
    expect(atRoot.body).toEqual({
      resource: gate.url,
      authorization_servers: [gate.issuer.url],
      scopes_supported: ['database.read', 'database.write', 'email.send'],
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256'],
      resource_name: 'identity-aware-mcp-server',
    });
    expect(atPath.text).toBe(atRoot.text);
    expect(atRoot.headers.get('content-type')).toMatch(/^application\/json/);
    expect(atRoot.headers.get('access-control-allow-origin')).toBe('*');
    expect(atRoot.headers.get('cache-control')).toBe('public, max-age=300');
  });

  it('computes the resource from the public URL, not from the Host header', async () => {
    const answer = await gate.get('/.well-known/oauth-protected-resource', {
      headers: { host: 'evil.example.com' },
    });
    expect(answer.body.resource).toBe(gate.url);
  });

  it('returns 404 for the metadata of another resource', async () => {
    expect((await gate.get('/.well-known/oauth-protected-resource/other')).status).toBe(404);
  });

  it('answers a CORS preflight request for the metadata', async () => {
    const answer = await gate.get('/.well-known/oauth-protected-resource/mcp', { method: 'OPTIONS' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('access-control-allow-headers')).toBe('MCP-Protocol-Version');
  });

  it('serves authorization server metadata', async () => {
    for (const path of [
      '/.well-known/oauth-authorization-server',
      '/.well-known/oauth-authorization-server/mcp',
    ]) {
      const answer = await gate.get(path);
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({
        issuer: gate.issuer.url,
        token_endpoint: `${gate.issuer.url}/token`,
      });
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    }
  });
});

describe('access tokens', () => {
  it('rejects a missing token with 401', async () => {
    const answer = await gate.callTool(undefined, 'read_customer', { customer_id: '123' });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer scope="database.read database.write email.send", resource_metadata="${metadataUrl}"`,
    );
    expect(answer.body).toEqual({
      jsonrpc: '2.0',
      id: 1,
      error: {
        code: 401,
        message: 'An access token is required',
        data: { reason: 'token_missing', decision_id: gate.auditLog().at(-1)?.id },
      },
    });
  });

  it('rejects an invalid token with 401', async () => {
    const answer = await gate.callTool('not-a-token', 'read_customer', { customer_id: '123' });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe(
      'Bearer error="invalid_token", error_description="The token is not a signed JWT", ' +
        `scope="database.read database.write email.send", resource_metadata="${metadataUrl}"`,
    );
    expect(answer.body.error.data.reason).toBe('token_malformed');
  });

  it('rejects an expired token with 401', async () => {
    const now = Math.floor(Date.now() / 1000);
    const token = await gate.token({ ...PEOPLE.alice, iat: now - 600, exp: now - 300 });
    const answer = await gate.callTool(token, 'read_customer', { customer_id: '123' });
    expect(answer.status).toBe(401);
    expect(answer.body.error.data.reason).toBe('token_expired');
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"');
  });
});

describe('tool calls', () => {
  it('lets a user with a valid token read a customer', async () => {
    const answer = await gate.callTool(await gate.token(PEOPLE.alice), 'read_customer', {
      customer_id: '123',
    });
    expect(answer.status).toBe(200);
    expect(answer.body.result.structuredContent).toMatchObject({ customer_id: '123' });
  });

  it('rejects a missing scope with 403', async () => {
    const answer = await gate.callTool(await gate.token(PEOPLE.carol), 'read_customer', {
      customer_id: '123',
    });
    expect(answer.status).toBe(403);
    expect(answer.headers.get('www-authenticate')).toContain('error="insufficient_scope"');
    expect(answer.headers.get('www-authenticate')).toContain('scope="database.read"');
    expect(answer.headers.get('www-authenticate')).toContain(`resource_metadata="${metadataUrl}"`);
    expect(answer.body.error.data.reason).toBe('scope_missing');
  });

  it('requires the write scope for an update', async () => {
    const update = { customer_id: '123', name: 'Changed' };
    const refused = await gate.callTool(await gate.token(PEOPLE.alice), 'update_customer', update);
    expect(refused.status).toBe(403);
    expect(refused.headers.get('www-authenticate')).toContain('scope="database.write"');
    const read = await gate.callTool(await gate.token(PEOPLE.bob), 'read_customer', { customer_id: '123' });
    expect(read.body.result.structuredContent.name).not.toBe('Changed');

    const done = await gate.callTool(await gate.token(PEOPLE.bob), 'update_customer', update);
    expect(done.body.result.structuredContent).toMatchObject(update);
  });

  it('rejects a missing role with 403', async () => {
    const token = await gate.token({ ...PEOPLE.bob, roles: ['developer'] });
    const answer = await gate.callTool(token, 'delete_customer', { customer_id: '123' });
    expect(answer.status).toBe(403);
    expect(answer.headers.get('www-authenticate')).toBeNull();
    expect(answer.body.error.data.reason).toBe('role_missing');
    const read = await gate.callTool(token, 'read_customer', { customer_id: '123' });
    expect(read.body.result.isError).toBeUndefined();
  });

  it('lets a user with the admin role delete a customer', async () => {
    const token = await gate.token(PEOPLE.bob);
    const answer = await gate.callTool(token, 'delete_customer', { customer_id: '125' });
    expect(answer.body.result.structuredContent).toMatchObject({ customer_id: '125' });
    const read = await gate.callTool(token, 'read_customer', { customer_id: '125' });
    expect(read.body.result.isError).toBe(true);
  });

  it('rejects an unknown tool with 404', async () => {
    const answer = await gate.callTool(await gate.token(PEOPLE.bob), 'read_customers', {});
    expect(answer.status).toBe(404);
    expect(answer.body.error).toMatchObject({ code: -32602, data: { reason: 'tool_unknown' } });
  });

  it.each([
    ['alice', ['read_customer', 'send_email', 'update_customer']],
    ['bob', ['delete_customer', 'read_customer', 'send_email', 'update_customer']],
    ['carol', ['read_customer', 'send_email', 'update_customer']],
  ] as const)('lists for %s all tools except those that need a missing role: %j', async (person, tools) => {
    const token = await gate.token(PEOPLE[person]);
    for (const answer of [await gate.modern(token, 'tools/list'), await gate.legacy(token, 'tools/list')]) {
      expect(answer.body.result.tools.map(({ name }: { name: string }) => name)).toEqual(tools);
    }
    const modern = await gate.modern(token, 'tools/list');
    expect(modern.body.result).toMatchObject({ resultType: 'complete', cacheScope: 'private' });
  });

  it('writes audit records for lists, denials, decisions and outcomes', async () => {
    const before = (await gate.settledAuditLog()).length;
    await gate.callTool(undefined, 'read_customer', { customer_id: '123' });
    await gate.modern(await gate.token(PEOPLE.alice), 'tools/list');
    await gate.callTool(await gate.token(PEOPLE.alice), 'update_customer', { customer_id: '123', name: 'N' });
    await gate.callTool(await gate.token(PEOPLE.alice), 'read_customer', { customer_id: '123' });
    const lines = (await gate.waitForAuditLog(({ event, seq }) => event === 'outcome' && seq > before)).slice(
      before,
    );
    expect(lines.map(({ event, decision, reason }) => [event, decision, reason])).toEqual([
      ['authentication', 'deny', 'token_missing'],
      ['list', 'allow', null],
      ['decision', 'deny', 'scope_missing'],
      ['decision', 'allow', null],
      ['outcome', null, null],
    ]);
    const first = lines[0]?.seq as number;
    expect(lines.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4].map((at) => first + at));
    expect(lines[3]?.arguments).toEqual({ customer_id: '123' });
    expect(Object.keys(lines[3] as object)).toEqual([
      'arguments',
      'arguments_sha256',
      'decision',
      'decision_id',
      'delegation',
      'event',
      'hash',
      'id',
      'instance',
      'missing',
      'on_behalf_of',
      'outcome',
      'prev',
      'principal',
      'reason',
      'request',
      'required',
      'rule',
      'seq',
      'time',
      'tool',
      'v',
    ]);
    expect(lines[1]?.list).toEqual({ shown: 3, hidden: 1 });
    expect(lines[4]).toMatchObject({ decision_id: lines[3]?.id, outcome: { status: 'ok' } });
  });
});

describe('other methods and health', () => {
  it.each(['GET', 'DELETE', 'PUT', 'PATCH'])('answers %s from a valid caller with 405', async (method) => {
    const headers = { authorization: `Bearer ${await gate.token()}` };
    const answer = await gate.get('/mcp', { method, headers });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST');
  });

  it('reports alive and ready', async () => {
    expect((await gate.get('/health/live')).body).toEqual({ status: 'ok' });
    const ready = await gate.get('/health/ready');
    expect(ready.status).toBe(200);
    expect(ready.body).toEqual({
      status: 'ok',
      checks: { keys: true, database: true, audit_log: true },
      fast_path: { state: 'on' },
      issuers: [
        { issuer: gate.issuer.url, keys: 'fresh', usable_keys: 1, usable_until: expect.stringMatching(/Z$/) },
      ],
      revocations: { as_of: expect.stringMatching(/Z$/), count: 0 },
    });
  });
});
