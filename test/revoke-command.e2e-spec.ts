/** The built `mcp-gate revoke` command, with direct database access and through a running server. */
import { databaseBackends, type TestDatabase } from './support/database.js';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort, Gate, temporaryFolder } from './support/gate.js';
import { ProbeModule } from './support/probe.tools.js';
import { until } from './support/remote.js';
import { type Ended, runProgram } from './support/server-process.js';

const postgres = databaseBackends().find(({ name }) => name === 'postgres');

const nowhere = temporaryFolder();
afterAll(() => nowhere.remove());

function revoke(args: readonly string[], env: Record<string, string> = {}, input = ''): Promise<Ended> {
  const usual = { AUTH_ISSUER: 'https://issuer.example', TOOL_ALLOW_LIST: '*', DATA_DIR: nowhere.path };
  return runProgram('cli/mcp-gate.js', { args: ['revoke', ...args], env: { ...usual, ...env }, input });
}

(postgres ? describe : describe.skip)('revoke with a server on PostgreSQL', () => {
  let database: TestDatabase;
  let gate: Gate;

  beforeAll(async () => {
    database = (await postgres?.open()) as TestDatabase;
    gate = await Gate.start({ imports: [ProbeModule], env: { DATABASE_URL: database.settings.databaseUrl } });
  });
  afterAll(async () => {
    await gate.close();
    await database.cleanup();
  });

  it('revokes in the database, lists and withdraws', async () => {
    const env = {
      AUTH_ISSUER: gate.issuer.url,
      DATABASE_URL: database.settings.databaseUrl as string,
      AUDIT_FILE: gate.app.settings.audit.file,
    };
    const token = await gate.token({ scope: 'probe', sub: 'alice' });
    const status = async () => (await gate.callTool(token, 'echo', { text: 'x' })).status;
    expect(await status()).toBe(200);
    const done = await revoke(['subject', 'alice', '--reason', 'left', '--by', 'dora'], env);
    expect([done.code, done.err]).toEqual([0, '']);
    expect(done.out).toMatch(
      /^[\da-f-]{36} {2}subject alice of http:\S+, issued until \S+Z, by dora: left\n$/,
    );
    await until(async () => (await status()) === 401, 2_000);
    const listed = await revoke(['list', '--json'], env);
    const [one] = JSON.parse(listed.out) as { id: string; expires_at: string }[];
    expect(Date.parse(one?.expires_at ?? '') - Date.now()).toBeGreaterThan(3_600_000);
    expect((await revoke(['withdraw', one?.id ?? ''], env)).code).toBe(0);
    await until(async () => (await status()) === 200, 2_000);
    expect(await revoke(['withdraw', 'nobody'], env)).toMatchObject({
      code: 1,
      err: 'No revocation has the id nobody.\n',
    });
    expect((await revoke(['list'], env)).out).toBe('No revocation is in force.\n');
  });

  it('revokes an unrecorded subject, prints a warning and suggests similar names', async () => {
    const env = {
      AUTH_ISSUER: gate.issuer.url,
      DATABASE_URL: database.settings.databaseUrl as string,
      AUDIT_FILE: gate.app.settings.audit.file,
    };
    await gate.callTool(await gate.token({ scope: 'probe', sub: 'bertram' }), 'echo', { text: 'x' });
    await gate.settledAuditLog();
    const typo = await revoke(['subject', 'bertarm', '--json'], env);
    expect(typo.code).toBe(0);
    expect(JSON.parse(typo.out)).toMatchObject([{ kind: 'subject', value: 'bertarm' }]);
    expect(typo.err).toBe(
      `Unknown name: ${env.AUDIT_FILE} contains no subject "bertarm" of ${gate.issuer.url}. The revocation is in force. Similar names in the audit log: "bertram".\n`,
    );
    const client = await revoke(['client', 'nobody-at-all'], env);
    expect([client.code, client.err]).toEqual([
      0,
      expect.stringMatching(/^Unknown name: .* contains no client .*in force\.\n$/),
    ]);
    const remote = await revoke(['subject', 'nobody'], { ...env, AUDIT_FILE: '/nowhere/audit.jsonl' });
    expect([remote.code, remote.err]).toEqual([0, expect.stringContaining('Name not checked: ')]);
    for (const { id } of JSON.parse((await revoke(['list', '--json'], env)).out) as { id: string }[]) {
      expect((await revoke(['withdraw', id], env)).code).toBe(0);
    }
  });

  it('sends requests to a server with the token of an administrator', async () => {
    const root = await gate.token({ sub: 'root', scope: 'gate.admin', roles: ['gate-admin'] });
    const at = ['--server', gate.origin];
    const env = { AUTH_ISSUER: gate.issuer.url };
    const done = await revoke(['session', 's1', ...at, '--json'], env, `${root}\n`);
    expect([done.code, done.err]).toEqual([0, '']);
    const [one] = JSON.parse(done.out) as { id: string; by: string; kind: string }[];
    expect(one).toMatchObject({ kind: 'session', by: 'root' });
    expect((await revoke(['list', ...at], env, root)).out).toContain(one?.id);
    expect((await revoke(['withdraw', one?.id ?? '', ...at], env, root)).code).toBe(0);
    const unknown = await revoke(
      ['token', 'never-seen', ...at],
      { ...env, AUDIT_FILE: gate.app.settings.audit.file },
      root,
    );
    expect([unknown.code, unknown.err]).toEqual([
      0,
      expect.stringMatching(/^Unknown name: .* contains no token "never-seen"/),
    ]);
    expect(await revoke(['withdraw', 'nobody', ...at], env, root)).toMatchObject({
      code: 1,
      err: 'No revocation has the id nobody.\n',
    });
    const alice = await gate.token({ scope: 'gate.admin' });
    expect(await revoke(['list', ...at], env, alice)).toMatchObject({
      code: 3,
      err: 'The server answered 403: This operation requires the administrator role\n',
    });
  });
});

it.each<[string[], string, string]>([
  [[], 'Name a command: subject, client, session, token, issuer, list or withdraw. Options follow it.', ''],
  [
    ['alice'],
    'Unknown command "alice". Commands: subject, client, session, token, issuer, list, withdraw.',
    '',
  ],
  [['subjcet', 'x'], 'Unknown command "subjcet". Did you mean subject?', ''],
  [['subject'], "Missing required argument 'sub'.", ' subject'],
  [['issuer', 'x'], "Too many arguments for 'issuer'. Expected 0 arguments but got 1.", ' issuer'],
  [['list', '--reason', 'x'], 'Unknown option --reason.', ' list'],
  [
    ['subject', 'x', '--issued-before', 'noon'],
    '--issued-before must be a time with a zone (RFC 3339), for example 2026-11-24T10:00:00Z.',
    ' subject',
  ],
  [
    ['subject', 'x', '--by', 'dora', '--server', 'https://gate.example.com'],
    '--by has no effect with --server: the token identifies the administrator.',
    ' subject',
  ],
])('rejects %j as a usage error', async (args, says, command) => {
  const { code, err } = await revoke(args);
  expect([code, err]).toEqual([2, `${says}\nHelp: mcp-gate revoke${command} --help\n`]);
});

it.each<[string, string, number, string]>([
  ['no token', '', 2, 'stdin contains no token: send the administrator token, unchanged, on one line.\n'],
  ['a token with a line break', 'eyJhbGciOi\nS3CRET', 2, 'stdin contains no token'],
  ['a token with invalid characters', 'eyJS3CRET€', 2, 'stdin contains no token'],
  ['an unreachable server', 'eyJS3CRET', 3, 'http://127.0.0.1:'],
])('reports %s in a sentence without the token', async (_what, stdin, exit, says) => {
  const server = `http://127.0.0.1:${await freePort()}`;
  const { code, out, err } = await revoke(['list', '--server', server], {}, stdin);
  expect([code, out, err.startsWith(says)]).toEqual([exit, '', true]);
  expect(err).not.toMatch(/eyJ|S3CRET/);
});

it.each<[string[], Record<string, string>, number, string]>([
  [['subject', 'x'], {}, 3, 'Only the server can open the embedded database: use --server.\n'],
  [
    ['list', '--server', 'http://gate.example.com'],
    {},
    2,
    '--server must be an https URL, because it receives a token.\n',
  ],
  [
    ['subject', 'x', '--issuer', 'https://other.example'],
    { DATABASE_URL: 'postgres://root:hunter2@127.0.0.1:9/none' },
    3,
    'The database rejected the command: ',
  ],
])('reports in one sentence why %j fails', async (args, env, exit, says) => {
  const { code, err } = await revoke(args, env);
  expect([code, err.startsWith(says)]).toEqual([exit, true]);
  expect(err).not.toContain('hunter2');
});

it.each<[string, string, number, string]>([
  [
    'no scheme',
    'localhost:3200',
    2,
    '--server: "localhost:3200" has no scheme. Write http://localhost:3200.\n',
  ],
  ['no host', 'http://', 2, '--server: "http://" is not a URL. Write https://gate.example.com.\n'],
  ['nothing', '', 2, '--server: "" is not a URL. Write https://gate.example.com.\n'],
  [
    'another scheme',
    'file:///etc/passwd',
    2,
    '--server: "file:" is not supported. Use https: (or http: on loopback).\n',
  ],
  [
    'a path',
    'http://localhost:3200/mcp',
    2,
    '--server must be PUBLIC_URL, without the path of the endpoint: http://localhost:3200.\n',
  ],
  ['an unknown host', 'https://gate.invalid', 3, 'https://gate.invalid is unavailable ('],
  ['an unused port', 'http://127.0.0.1:1', 3, 'http://127.0.0.1:1 is unavailable ('],
])(
  'reports a server address with %s in one sentence, with a help reference for a usage error',
  async (_what, server, exit, says) => {
    const { code, out, err } = await revoke(['list', '--server', server], {}, 'eyJS3CRET');
    expect([code, out, err.startsWith(says)]).toEqual([exit, '', true]);
    expect(err.trim().split('\n')).toHaveLength(exit === 2 ? 2 : 1);
    expect(err).not.toMatch(/eyJ|S3CRET|at .*\.js/);
  },
);

it.each<[string, number, string, string]>([
  ['a page', 200, '<html>', 'is not a gateway: its response contains no revocation. Check --server.\n'],
  ['null', 200, 'null', 'is not a gateway'],
  ['another object', 200, '{"revocations":[{"id":7}]}', 'is not a gateway'],
  [
    'an object with an invalid time',
    200,
    '{"revocations":[{"id":"a","kind":"b","issuer":"c","value":"d","issued_before":1e300}]}',
    'is not a gateway',
  ],
  ['an error with the value null', 500, '{"error":null}', 'The server answered 500: no reason\n'],
  [
    'an error whose message is not a string',
    400,
    '{"error":{"message":{}}}',
    'The server answered 400: no reason\n',
  ],
  ['404', 404, '{"error":{"code":"not_found","message":"no such route"}}', 'REVOCATION_MAX_AGE_SECONDS=0'],
  ['a redirect', 302, '', 'the server sent a redirect'],
])('reports the response %s in one sentence without a stack', async (_what, status, body, says) => {
  const other = createServer((_request, response) => {
    response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end(body);
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const { code, out, err } = await revoke(['list', '--server', `http://127.0.0.1:${port}`], {}, 'eyJS3CRET');
  other.close();
  expect([code, out]).toEqual([3, '']);
  expect(err).toContain(says);
  expect(err.trim().split('\n')).toHaveLength(1);
});
