/**
 * Login of a stock client that knows only the URL of the gateway. The client follows the discovery documents to a
 * real OAuth server, logs in for all scopes of the deployment and calls tools. With CHALLENGE_SCOPES=minimal the
 * client meets a missing scope and steps up.
 */
import { startDemoIssuer, type DemoIssuer } from '../demo/issuer.js';
import { freePort, Gate } from './support/gate.js';
import { connectV1, connectV2, StockLoginV1, StockLoginV2 } from './support/stock-clients.js';

interface Place {
  readonly gate: Gate;
  readonly issuer: DemoIssuer;
}

let minimal: Place;
let allowed: Place;

async function open(challengeScopes: string): Promise<Place> {
  const port = await freePort();
  const issuer = await startDemoIssuer({ resource: `http://127.0.0.1:${port}/mcp`, defaultPerson: 'bob' });
  const env = { PORT: String(port), AUTH_ISSUER: issuer.url, CHALLENGE_SCOPES: challengeScopes };
  return { gate: await Gate.start({ env }), issuer };
}

beforeAll(async () => {
  minimal = await open('minimal');
  allowed = await open('allowed');
}, 180_000);
afterAll(async () => {
  for (const { gate, issuer } of [minimal, allowed]) {
    await gate.close();
    await issuer.close();
  }
});

describe.each([
  ['v1', StockLoginV1, connectV1],
  ['v2', StockLoginV2, connectV2],
] as const)('login with the stock client of %s', (_line, Login, connectAny) => {
  // The two client versions have different types for the same protocol.
  const connect = connectAny as (url: string, login: object) => ReturnType<typeof connectV2>;

  it('requests all scopes at the first login and calls each permitted tool without a second login', async () => {
    const { gate } = allowed;
    const login = new Login();
    const { client } = await connect(gate.url, login);
    expect(login.scopesAsked.map((scopes) => scopes.toSorted())).toEqual([
      ['database.read', 'database.write', 'email.send'],
    ]);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual([
      'delete_customer',
      'read_customer',
      'send_email',
      'update_customer',
    ]);
    const change = { customer_id: '124', tier: 'premium' };
    const changed = await client.callTool({ name: 'update_customer', arguments: change });
    expect(changed.structuredContent).toMatchObject(change);
    expect(login.authorizations).toHaveLength(1);
    await client.close();
  });

  it('receives only the scopes that the provider grants to the user', async () => {
    const { gate } = allowed;
    const login = new Login({ person: 'alice' });
    const { client } = await connect(gate.url, login);
    const read = await client.callTool({ name: 'read_customer', arguments: { customer_id: '123' } });
    expect(read.structuredContent).toMatchObject({ customer_id: '123' });
    const principal = gate.auditLog().findLast(({ event }) => event === 'decision')?.principal;
    expect(principal).toMatchObject({ sub: 'alice', scopes: ['database.read', 'email.send'] });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['read_customer', 'send_email', 'update_customer']);
    await client.close();
  });

  it('requests minimal scopes at the first login and steps up for more with CHALLENGE_SCOPES=minimal', async () => {
    const { gate } = minimal;
    const login = new Login();
    const before = gate.auditLog().length;
    const { client, stepUp } = await connect(gate.url, login);
    expect(gate.auditLog()[before]).toMatchObject({ event: 'authentication', reason: 'token_missing' });

    const read = () => client.callTool({ name: 'read_customer', arguments: { customer_id: '123' } });
    expect((await read()).structuredContent).toMatchObject({ customer_id: '123' });
    expect(login.scopesAsked).toEqual([['database.read']]);
    expect(login.authorizations[0]?.get('resource')).toBe(gate.url);
    expect(login.authorizations[0]?.get('code_challenge_method')).toBe('S256');

    const change = { customer_id: '124', tier: 'premium' };
    const changed = await stepUp(() => client.callTool({ name: 'update_customer', arguments: change }));
    expect(changed.structuredContent).toMatchObject(change);
    expect(login.scopesAsked).toHaveLength(2);
    expect(login.scopesAsked[1]).toContain('database.write');

    const [refused, allowed] = (
      await gate.waitForAuditLog(
        ({ event, tool, seq }) => event === 'outcome' && tool === 'update_customer' && seq > before,
      )
    )
      .slice(before)
      .filter(({ event, tool }) => event === 'decision' && tool === 'update_customer');
    expect(refused).toMatchObject({ decision: 'deny', reason: 'scope_missing', on_behalf_of: 'bob' });
    expect(allowed).toMatchObject({ decision: 'allow', on_behalf_of: 'bob' });
    await client.close();
  });

  it('receives a final denial, without another login, when no scope can help', async () => {
    const { gate } = allowed;
    const login = new Login({ person: 'alice' });
    const { client } = await connect(gate.url, login);
    await expect(
      client.callTool({ name: 'delete_customer', arguments: { customer_id: '123' } }),
    ).rejects.toThrow(/role admin/);
    expect(login.authorizations).toHaveLength(1);
    await client.close();
  });
});
