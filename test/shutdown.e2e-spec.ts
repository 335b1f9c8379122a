/** Shutdown: the server reports it first, finishes running requests and records the aborted ones. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SMTPServer } from 'smtp-server';
import { freePort, gateEnv, PEOPLE, readAuditLog, temporaryFolder } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';
import { until } from './support/remote.js';
import { startServer, type ServerProcess } from './support/server-process.js';

const MAIL = { name: 'send_email', arguments: { to: 'a@example.org', subject: 'Hello', body: 'Hello' } };

let issuer: TestIssuer;
let mails: SMTPServer;
/** Delay of the mail server in milliseconds. */
let delayMs = 0;
let folder: ReturnType<typeof temporaryFolder>;
let server: ServerProcess;
let origin: string;
let token: string;

beforeAll(async () => {
  issuer = await TestIssuer.start();
  mails = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData: (stream, _session, done) => {
      stream.resume();
      stream.once('end', () => setTimeout(done, delayMs));
    },
  });
  mails.listen(0, '127.0.0.1');
  await once(mails.server, 'listening');
});
afterAll(async () => {
  mails.close(() => undefined);
  await issuer.stop();
});
afterEach(() => {
  server.child.kill('SIGKILL');
  folder.remove();
});

async function start(env: Record<string, string>): Promise<void> {
  folder = temporaryFolder();
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  token = await issuer.mint(`${origin}/mcp`, PEOPLE.alice);
  server = await startServer({
    ...gateEnv(issuer.url, port, folder.path),
    DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
    REVOCATION_MAX_AGE_SECONDS: '0',
    SMTP_URL: `smtp://127.0.0.1:${(mails.server.address() as AddressInfo).port}?from=gate@example.org`,
    ...env,
  });
}

/** Uses a separate connection, so that closing it affects no other request. */
function ask(
  path: string,
  body?: object,
): Promise<{ status: number; connection: string | undefined; text: string }> {
  return new Promise((resolve) => {
    const asked = request(
      `${origin}${path}`,
      {
        method: body ? 'POST' : 'GET',
        agent: false,
        headers: {
          connection: 'keep-alive',
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2025-11-25',
        },
      },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('close', () =>
          resolve({ status: response.statusCode ?? 0, connection: response.headers.connection, text }),
        );
      },
    );
    asked.on('error', () => resolve({ status: 0, connection: undefined, text: '' }));
    asked.end(body && JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }));
  });
}

const ready = () => ask('/health/ready');
const send = () => ask('/mcp', { method: 'tools/call', params: MAIL });
const auditLog = () => readAuditLog(join(folder.path, 'audit.jsonl'));

it('reports not ready, serves requests while draining, waits for running calls and exits', async () => {
  delayMs = 2_000;
  await start({ SHUTDOWN_DRAIN_SECONDS: '1' });
  const running = send();
  await until(() => auditLog().some(({ event }) => event === 'decision'));
  // An idle connection must not delay the shutdown.
  const silent = connect(Number(new URL(origin).port), '127.0.0.1').on('error', () => undefined);
  const exited = server.stop();
  await until(async () => JSON.parse((await ready()).text || '{}').status === 'draining');
  expect((await ready()).status).toBe(503);
  const listed = await ask('/mcp', { method: 'tools/list', params: {} });
  expect([listed.status, listed.connection]).toEqual([200, 'close']);
  const answer = await running;
  expect(answer.status).toBe(200);
  expect(answer.text).not.toContain('isError');
  expect(await exited).toBe(0);
  expect(await send()).toMatchObject({ status: 0 });
  expect(auditLog().findLast(({ event }) => event === 'outcome')?.outcome.status).toBe('ok');
  silent.destroy();
});

it('aborts calls after the grace period, records them and exits with 1', async () => {
  delayMs = 20_000;
  await start({ SHUTDOWN_DRAIN_SECONDS: '0', SHUTDOWN_GRACE_SECONDS: '1' });
  const running = send();
  await until(() => auditLog().some(({ event }) => event === 'decision'));
  const started = performance.now();
  expect(await server.stop()).toBe(1);
  expect(performance.now() - started).toBeLessThan(10_000);
  await running;
  expect(auditLog().findLast(({ event }) => event === 'outcome')?.outcome.status).toBe('cancelled');
});

it('does not wait for open streams, and a second signal forces exit code 1', async () => {
  delayMs = 0;
  await start({ SHUTDOWN_DRAIN_SECONDS: '0' });
  const listening = fetch(`${origin}/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'subscriptions/listen',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'subscriptions/listen',
      params: {
        notifications: {},
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    }),
  });
  const stream = await listening;
  expect(stream.status).toBe(200);
  const started = performance.now();
  const exited = server.stop();
  await stream.text().catch(() => '');
  expect(await exited).toBe(0);
  expect(performance.now() - started).toBeLessThan(5_000);

  await start({ SHUTDOWN_DRAIN_SECONDS: '60' });
  const exitCode = server.stop();
  await pause(300);
  server.child.kill('SIGTERM');
  expect(await exitCode).toBe(1);
});
