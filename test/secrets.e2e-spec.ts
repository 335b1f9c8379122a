/** Attacks the running server with all logs enabled and then searches every output for secrets. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { openTestDatabase } from './support/database.js';
import { freePort, gateEnv, MODERN, PEOPLE, temporaryFolder } from './support/gate.js';
import { makeKey, TestIssuer } from './support/issuer.js';
import { until } from './support/remote.js';
import { startServer, type ServerProcess } from './support/server-process.js';

const secret = (what: string) => `${what}-${randomBytes(18).toString('base64url')}`;
const PASSWORDS = {
  database: secret('database'),
  mail: secret('mail'),
  collector: secret('collector'),
  sink: secret('sink'),
  nonce: secret('nonce-key'),
};
/** A secret within arguments of tool calls. */
const ARGUMENT = secret('argument');

const folder = temporaryFolder();
const dataDir = join(folder.path, 'data');
let issuer: TestIssuer;
let server: ServerProcess;
let origin: string;
let answers = '';
/** Every token that a client presented, valid or invalid. */
const tokens: string[] = [];

async function token(...args: Parameters<TestIssuer['mint']>): Promise<string> {
  const one = await issuer.mint(...args);
  tokens.push(one);
  return one;
}

function file(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
}

/** Collects the response; a closed connection yields no response. */
function send(
  method: string,
  path: string,
  headers: Record<string, string | string[]>,
  body?: string,
): Promise<void> {
  return new Promise((resolve) => {
    const asked = request(`${origin}${path}`, { method, headers, agent: false }, (response) => {
      answers += `${response.statusCode} ${JSON.stringify(response.rawHeaders)}\n`;
      response.on('data', (chunk: Buffer) => (answers += chunk.toString()));
      response.on('close', () => resolve());
    });
    asked.on('error', () => resolve());
    asked.end(body);
  });
}

function post(
  bearer: string | string[] | undefined,
  body: unknown,
  headers: Record<string, string | string[]> = {},
): Promise<void> {
  const authorization: Record<string, string | string[]> =
    bearer === undefined ? {} : { authorization: typeof bearer === 'string' ? `Bearer ${bearer}` : bearer };
  const usual = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2025-11-25',
  };
  return send(
    'POST',
    '/mcp',
    { ...usual, ...authorization, ...headers },
    typeof body === 'string' ? body : JSON.stringify(body),
  );
}

const call = (name: string, args: object, more: object = {}) => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: args, ...more },
});

function raw(text: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1');
    socket.on('data', (chunk: Buffer) => (answers += chunk.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.end(text);
  });
}

let cleanUp: () => Promise<void>;

beforeAll(async () => {
  issuer = await TestIssuer.start();
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  const mails = new SMTPServer({
    authOptional: false,
    disabledCommands: ['STARTTLS'],
    onAuth: ({ password }, _session, done) => done(new Error(`Wrong password: ${password}`)),
  });
  mails.on('error', () => undefined);
  mails.listen(0, '127.0.0.1');
  await once(mails.server, 'listening');
  // A collector whose error response repeats the received credentials.
  const mirror = createServer((asked, response) => response.writeHead(500).end(asked.headers.authorization));
  mirror.listen(0, '127.0.0.1');
  await once(mirror, 'listening');
  const mirrorUrl = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}`;
  const database = await openTestDatabase();
  const databaseUrl = new URL(database.settings.databaseUrl ?? '');
  databaseUrl.password = PASSWORDS.database;
  mkdirSync(dataDir);
  file('nonce', PASSWORDS.nonce.padEnd(40, 'x'));
  file('sink', PASSWORDS.sink);
  const { AUTH_ISSUER: _, ...env } = gateEnv(issuer.url, port, dataDir);
  cleanUp = async () => {
    mirror.closeAllConnections();
    mirror.close();
    mails.close(() => undefined);
    await database.cleanup();
    await issuer.stop();
    folder.remove();
  };
  server = await startServer(
    {
      ...env,
      LOG_LEVEL: 'trace',
      DATABASE_URL: databaseUrl.href,
      SMTP_URL: `smtp://robot:${PASSWORDS.mail}@127.0.0.1:${(mails.server.address() as AddressInfo).port}?from=gate@example.org&ignoreTLS=true`,
      IDENTITY_FILE: file(
        'identity.yaml',
        JSON.stringify({ issuers: [{ issuer: issuer.url }], dpop_nonce_secret_file: 'nonce' }),
      ),
      AUDIT_SINKS_FILE: file(
        'sinks.yaml',
        JSON.stringify({ sinks: [{ name: 'mirror', type: 'https', url: mirrorUrl, token_file: 'sink' }] }),
      ),
      OTEL_EXPORTER_OTLP_ENDPOINT: mirrorUrl,
      OTEL_EXPORTER_OTLP_HEADERS_FILE: file('otel', `authorization: ${PASSWORDS.collector}`),
    },
    { check: 'ready' },
  );
});
afterAll(() => cleanUp());

it('writes no token, password, key or argument to a log, a response or a file', async () => {
  const audience = `${origin}/mcp`;
  const alice = await token(audience, { ...PEOPLE.alice, scope: 'database.read email.send database.write' });
  const mail = { to: 'a@example.org', subject: ARGUMENT, body: ARGUMENT };
  const bad = await Promise.all([
    token(audience, { exp: 1 }),
    token('https://elsewhere.example', {}),
    token(audience, { iss: 'https://elsewhere.example' }),
    token(audience, {}, { key: await makeKey('key-1') }),
    token(audience, {}, { header: { typ: 'JWT' } }),
    token(audience, { sub: undefined }),
    token(audience, { exp: Math.floor(Date.now() / 1000) + 100_000 }),
    token(audience, { cnf: { jkt: 'x'.repeat(43) } }),
  ]);
  for (const one of [...bad, alice]) {
    await post(one, call('read_customer', { customer_id: '123' }));
    await post(undefined, call('read_customer', { customer_id: '123' }), { authorization: `Basic ${one}` });
    await post(undefined, call('read_customer', { customer_id: '123' }), {
      authorization: `DPoP ${one}`,
      dpop: one,
    });
    await post(undefined, call('read_customer', { customer_id: '123' }), { authorization: one });
    await post(undefined, call('x', {}), {
      cookie: `token=${one}`,
      'x-access-token': one,
      'x-request-id': one,
    });
    await send('POST', `/mcp?access_token=${one}`, { 'content-type': 'application/json' }, '{}');
    await send('GET', `/mcp/${one}`, {});
    await send('GET', `/${one}?token=${one}`, {
      authorization: `Bearer ${one}`,
      referer: `http://x/?t=${one}`,
    });
    await post([`Bearer ${one}`, `Bearer ${one}`], call('x', {}));
    await post(alice, call(one, { token: one }));
    await post(alice, call('read_customer', { customer_id: one, [one]: one }));
    await post(alice, call('send_email', { ...mail, body: one }));
    await post(alice, { jsonrpc: '2.0', id: 1, method: one, params: { name: one } });
    await post(alice, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${one}`);
    await post(alice, call('read_customer', {}, { _meta: { traceparent: one, [one]: one } }), {
      traceparent: one,
    });
    await post(
      alice,
      call('read_customer', {
        customer_id: '123',
      }),
      {
        'mcp-protocol-version': MODERN,
        'mcp-method': one,
        'mcp-name': one,
        'user-agent': one,
        origin: `https://${one.slice(0, 40)}`,
      },
    );
    await post(one, { jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: `x://${one}` } });
    await send(
      'POST',
      '/admin/revocations',
      { authorization: `Bearer ${alice}`, 'content-type': 'application/json' },
      JSON.stringify({ kind: 'token', value: one, reason: one }),
    );
    await raw(
      `POST /mcp HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${one}\r\nbroken header ${one}\r\n\r\n`,
    );
    await raw(`${one}\r\n\r\n`);
  }
  await post(alice, call('send_email', mail));
  await post(
    alice,
    call('update_customer', { customer_id: '123', email: ARGUMENT, name: ARGUMENT, tier: ARGUMENT }),
  );
  issuer.failing = 500;
  await post(
    await token(audience, PEOPLE.bob, { key: await makeKey('key-9') }),
    call('read_customer', { customer_id: '123' }),
  );
  // The sink and the collector have logged their failures.
  await until(() => server.output.includes('mirror'));
  await server.stop();
  const { output } = server;

  const files = readdirSync(dataDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
  expect(output.length).toBeGreaterThan(50_000);
  expect(answers.length).toBeGreaterThan(10_000);
  expect(files).toContain('token_signature');
  // The signature identifies a token; the payload alone can come from elsewhere.
  const parts = tokens.flatMap((one) => [one, one.split('.')[2] ?? one]);
  const everywhere = [...parts, ...Object.values(PASSWORDS)];
  const found = (text: string, words: readonly string[]) => words.filter((word) => text.includes(word));
  expect(found(output, [...everywhere, ARGUMENT])).toEqual([]);
  expect(found(files, [...everywhere, ARGUMENT])).toEqual([]);
  expect(found(answers, everywhere)).toEqual([]);
});
