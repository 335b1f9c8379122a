/** Identity of the gateway at an upstream: never the caller's token and never another caller's identity. */
import { createLocalJWKSet, createRemoteJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet } from 'jose';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AuthorizationServer, CLIENT } from './support/authorization-server.js';
import { HttpFixture, until, upstreamsFile } from './support/fixture-upstream.js';
import { Gate, temporaryFolder } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';

const ALICE = { sub: 'alice', scope: 'wiki.read', client_id: 'assistant' };
const BOB = { sub: 'bob', scope: 'wiki.read', client_id: 'assistant' };

let folder: ReturnType<typeof temporaryFolder>;
let issuer: TestIssuer;
let server: AuthorizationServer;
let wiki: HttpFixture;
let gate: Gate;

beforeEach(async () => {
  folder = temporaryFolder();
  writeFileSync(join(folder.path, 'client.secret'), CLIENT.secret);
  mkdirSync(join(folder.path, 'wiki'));
  issuer = await TestIssuer.start();
  server = await AuthorizationServer.start();
  server.trusted = () => ({ keys: issuer.keys.map(({ jwk }) => jwk) }) as JSONWebKeySet;
});

afterEach(async () => {
  await gate?.close();
  await wiki?.stop();
  await server.stop();
  await issuer.stop();
  folder.remove();
});

const client = () => ({
  token_endpoint: server.endpoint,
  issuer: server.url,
  client_id: CLIENT.id,
  client_secret_file: 'client.secret',
  resource: 'https://wiki.example.com/mcp',
  scope: ['wiki.read', 'wiki.write'],
});

async function start(entry: object, to = ''): Promise<void> {
  wiki = await HttpFixture.start(join(folder.path, 'wiki'), to);
  const upstream = {
    name: 'wiki',
    url: wiki.url,
    tools: [{ match: ['echo', 'request'], scopes: ['wiki.read'] }],
    ...entry,
  };
  gate = await Gate.start({ env: upstreamsFile(folder.path, [upstream]), database: false, issuer });
}

async function shown(claims: object): Promise<string[]> {
  const { body } = await gate.modern(await gate.token(claims as never), 'tools/list');
  return (body.result.tools as { name: string }[]).map(({ name }) => name);
}

async function mounted(claims: object): Promise<void> {
  await until(async () => (await shown(claims)).includes('wiki_echo'), 'the upstream is mounted');
}

async function call(claims: object, text = 'hello'): Promise<any> {
  return (await gate.callTool(await gate.token(claims as never), 'wiki_echo', { text })).body.result;
}

/** Checks that the upstream received no part of the caller's tokens. */
function expectNoCallerToken(tokens: readonly string[]): void {
  const sent = JSON.stringify(wiki.requests);
  for (const token of tokens) {
    expect(sent).not.toContain(token);
    expect(sent).not.toContain(token.split('.')[2]);
  }
}

it('sends no credentials without configuration and never the token of the caller', async () => {
  await start({});
  await mounted(ALICE);
  const token = await gate.token(ALICE);
  const { body } = await gate.callTool(token, 'wiki_echo', { text: 'hello' });
  expect(body.result.content).toEqual([{ type: 'text', text: 'hello' }]);
  expect(wiki.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  expectNoCallerToken([token]);
});

it('sends a secret from a file in the configured header', async () => {
  writeFileSync(join(folder.path, 'wiki.secret'), 'the-key\n');
  await start({ auth: { method: 'secret', secret_file: 'wiki.secret', header: 'X-Api-Key' } }, 'key=the-key');
  await mounted(ALICE);
  expect((await call(ALICE)).isError).toBeUndefined();
  expect(wiki.callHeaders[0]).toMatchObject({ 'x-api-key': 'the-key' });
});

it('adds the Bearer scheme to a secret without a scheme', async () => {
  writeFileSync(join(folder.path, 'wiki.secret'), 'the-key\n');
  await start({ auth: { method: 'secret', secret_file: 'wiki.secret' } }, 'token=the-key');
  await mounted(ALICE);
  expect((await call(ALICE)).isError).toBeUndefined();
  expect(wiki.callHeaders[0]).toMatchObject({ authorization: 'Bearer the-key' });
});

it('requests one client credentials token and uses it for all callers', async () => {
  await start({ auth: { method: 'client_credentials', ...client() } });
  await mounted(ALICE);
  await Promise.all([call(ALICE), call(BOB), call(ALICE)]);
  expect(server.count('client_credentials')).toBe(1);
  const tokens = wiki.callHeaders.map(({ authorization }) => authorization?.replace('Bearer ', '') ?? '');
  expect(new Set(tokens).size).toBe(1);
  expect(decodeJwt(tokens[0] as string)).toMatchObject({ sub: 'gate', aud: 'https://wiki.example.com/mcp' });
});

it('requests a new token before the old one expires', async () => {
  server.lifetimeSeconds = 2;
  await start({ auth: { method: 'client_credentials', ...client() } });
  await mounted(ALICE);
  await call(ALICE);
  const before = server.count('client_credentials');
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  await call(ALICE);
  expect(server.count('client_credentials')).toBeGreaterThan(before);
});

describe('token exchange', () => {
  const entry = (actor = false) => ({
    auth: { method: 'token_exchange', actor_token: actor, ...client() },
  });

  it('uses a token and a session per caller', async () => {
    await start(entry());
    await mounted(ALICE);
    const results = await Promise.all([call(ALICE, 'a'), call(BOB, 'b'), call(ALICE, 'c'), call(BOB, 'd')]);
    expect(results.map(({ content }) => content[0].text)).toEqual(['a', 'b', 'c', 'd']);
    const bySession = new Map<string, Set<unknown>>();
    for (const { headers, body } of wiki.requests.filter(({ headers: one }) => one['mcp-session-id'])) {
      const { sub } = decodeJwt((headers.authorization as string).replace('Bearer ', ''));
      const session = headers['mcp-session-id'] as string;
      bySession.set(session, (bySession.get(session) ?? new Set()).add(sub));
      const text = JSON.stringify(body);
      // Each call carries the token of its own caller.
      if (text.includes('tools/call')) expect(sub).toBe(/"text\\?":\\?"[ac]/.test(text) ? 'alice' : 'bob');
    }
    expect([...bySession.values()].map((subjects) => [...subjects].length)).toEqual([1, 1]);
  });

  it('names the gateway as the actor if configured', async () => {
    await start(entry(true));
    await mounted(ALICE);
    await call(ALICE);
    const { authorization = '' } = wiki.callHeaders[0] ?? {};
    const { payload } = await jwtVerify(authorization.replace('Bearer ', ''), createLocalJWKSet(server.jwks));
    expect(payload).toMatchObject({
      sub: 'alice',
      act: { sub: 'gate' },
      aud: 'https://wiki.example.com/mcp',
    });
  });

  it('sends the token of the caller to the token endpoint only', async () => {
    await start(entry());
    await mounted(ALICE);
    const token = await gate.token(ALICE);
    await gate.callTool(token, 'wiki_echo', { text: 'x' });
    const exchanges = server.asked.filter((form) => form.has('subject_token'));
    expect(exchanges.length).toBeGreaterThan(0);
    expectNoCallerToken([token, ...exchanges.map((form) => form.get('subject_token') as string)]);
    const auditLog = JSON.stringify(gate.wholeAuditLog());
    for (const { authorization = 'none' } of wiki.callHeaders)
      expect(auditLog).not.toContain(authorization.slice(7));
  });

  it('caches the token per caller and rights', async () => {
    await start(entry());
    await mounted(ALICE);
    await call(ALICE);
    await call(ALICE);
    const before = server.count('token-exchange');
    await call({ ...ALICE, scope: 'wiki.read wiki.write' });
    expect(server.count('token-exchange')).toBe(before + 1);
    await call({ ...ALICE, client_id: 'another' });
    expect(server.count('token-exchange')).toBe(before + 2);
    await call(ALICE);
    expect(server.count('token-exchange')).toBe(before + 2);
  });

  it('sends one request for concurrent calls of a caller, and separate requests for different callers', async () => {
    await start(entry());
    await mounted(ALICE);
    const before = server.count('token-exchange');
    const carols = Array.from({ length: 8 }, () => call({ ...ALICE, sub: 'carol' }));
    const daves = Array.from({ length: 8 }, () => call({ ...ALICE, sub: 'dave' }));
    await Promise.all([...carols, ...daves]);
    expect(server.count('token-exchange')).toBe(before + 2);
  });

  it('fails the call without a token, hides the details from the caller and serves other callers', async () => {
    await start(entry());
    await mounted(ALICE);
    await call(ALICE);
    server.trusted = () => ({ keys: [] });
    const failed = await call(BOB);
    expect(failed).toMatchObject({ isError: true });
    expect(failed.content[0].text).toMatch(/^The upstream wiki failed: no token available\. Reference: /);
    expect((await call(ALICE)).isError).toBeUndefined();
    const ended = await gate.waitForAuditLog(({ outcome }) => outcome?.status === 'failed');
    expect(ended.find(({ outcome }) => outcome?.status === 'failed')?.on_behalf_of).toBe('bob');
  });

  it.each([['N_A'], ['DPoP'], ['mac'], ['Bearer token'], [''], [undefined], [null], [['Bearer']]])(
    'does not send a token of type %j as Bearer, and fails the call',
    async (type) => {
      await start(entry());
      await mounted(ALICE);
      server.tokenType = type;
      try {
        const failed = await call(BOB);
        expect(failed).toMatchObject({ isError: true });
        expect(failed.content[0].text).toMatch(/^The upstream wiki failed: no token available\. /);
        expect(wiki.callHeaders).toEqual([]);
      } finally {
        server.tokenType = 'Bearer';
      }
    },
  );

  it('accepts the token type bearer in any case', async () => {
    server.tokenType = 'bEARER';
    try {
      await start(entry());
      await mounted(ALICE);
      expect((await call(ALICE)).isError).toBeUndefined();
    } finally {
      server.tokenType = 'Bearer';
    }
  });

  it('requests a new token once when the upstream rejects the token', async () => {
    await start(entry());
    await mounted(ALICE);
    await call(ALICE);
    const before = server.count('token-exchange');
    await wiki.control('token?to=none-that-there-is');
    expect(await call(ALICE)).toMatchObject({ isError: true });
    expect(server.count('token-exchange')).toBe(before + 1);
  });
});

it('exchanges an ID-JAG of the identity provider at the authorization server of the upstream', async () => {
  const provider = await AuthorizationServer.start();
  provider.trusted = server.trusted;
  server.trusted = () => provider.jwks;
  const { resource, scope, ...own } = client();
  const identity_provider = { ...own, token_endpoint: provider.endpoint, issuer: provider.url };
  await start({ auth: { method: 'id_jag', ...own, resource, scope, identity_provider } });
  await mounted(ALICE);
  expect((await call(ALICE)).isError).toBeUndefined();
  expect(provider.asked[0]?.get('requested_token_type')).toBe('urn:ietf:params:oauth:token-type:id-jag');
  expect(provider.asked[0]?.get('audience')).toBe(server.url);
  const { authorization = '' } = wiki.callHeaders[0] ?? {};
  const { payload } = await jwtVerify(authorization.replace('Bearer ', ''), createLocalJWKSet(server.jwks));
  expect(payload).toMatchObject({ sub: 'alice', aud: resource, scope: 'wiki.read wiki.write' });
  await provider.stop();
});

describe('identity header', () => {
  const entry = { identity_header: { name: 'X-Gate-Identity', audience: 'https://wiki.example.com' } };

  it('is a verifiable token with the user, the actors and the call', async () => {
    await start(entry);
    await mounted(ALICE);
    const token = await gate.token({ ...ALICE, act: { sub: 'planner', act: { sub: 'helper' } } });
    await gate.callTool(token, 'wiki_echo', { text: 'x' });
    const keys = createRemoteJWKSet(new URL('/.well-known/identity-keys', gate.origin));
    const { payload, protectedHeader } = await jwtVerify(
      wiki.callHeaders[0]?.['x-gate-identity'] as string,
      keys,
      {
        issuer: gate.url,
        audience: 'https://wiki.example.com',
        typ: 'gate-identity+jwt',
      },
    );
    expect(protectedHeader.alg).toBe('ES256');
    expect(payload).toMatchObject({
      sub: 'alice',
      sub_id: { format: 'iss_sub', iss: issuer.url, sub: 'alice' },
      client_id: 'assistant',
      kind: 'human',
      tool: 'echo',
    });
    expect((payload.exp as number) - (payload.iat as number)).toBe(60);
    await gate.waitForAuditLog(({ id }) => id === payload.jti);
    const actors: string[] = [];
    for (let at = payload.act as any; at; at = at.act) actors.push(at.sub);
    const chain = gate.auditLog().find(({ id }) => id === payload.jti)?.delegation as { sub: string }[];
    expect(actors).toEqual(
      chain
        .slice(1)
        .map(({ sub }) => sub)
        .reverse(),
    );
    expect(actors).toContain('planner');
    expect(actors).toContain('helper');
  });

  it('names the caller of each call in one shared session', async () => {
    await start(entry);
    await mounted(ALICE);
    await Promise.all([call(ALICE, 'a'), call(BOB, 'b'), call(ALICE, 'c')]);
    const subjects = wiki.callHeaders.map((headers) => decodeJwt(headers['x-gate-identity'] as string).sub);
    expect(subjects).toHaveLength(3);
    expect(subjects.filter((subject) => subject === 'alice')).toHaveLength(2);
    expect(subjects).toContain('bob');
    expect(
      wiki.requests.filter(({ body }) => JSON.stringify(body).includes('"initialize')).length,
    ).toBeLessThanOrEqual(1);
  });

  it('has no published key when no upstream uses it', async () => {
    await start({});
    expect((await gate.get('/.well-known/identity-keys')).status).toBe(404);
  });
});
