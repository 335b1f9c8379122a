/** Audit log export to an HTTPS collector, a syslog server over TLS, PostgreSQL and a file. */
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import pg from 'pg';
import { generate } from 'selfsigned';
import { databaseBackends, type TestDatabase } from './support/database.js';
import { Gate, temporaryFolder } from './support/gate.js';
import { until } from './support/remote.js';
import { ProbeModule } from './support/probe.tools.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

function file(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
}

/** HTTP server that keeps the received lines and the request headers. */
class Collector {
  readonly lines: string[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  status = 204;
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(tls?: { cert: string; key: string }): Promise<Collector> {
    const server = tls ? createHttpsServer(tls) : createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const collector = new Collector(
      server,
      `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}/ingest`,
    );
    server.on('request', (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')));
      request.on('end', () => {
        collector.headers.push(request.headers);
        if (collector.status < 300) collector.lines.push(...body.trimEnd().split('\n'));
        response.writeHead(collector.status, { location: '/elsewhere' }).end();
      });
    });
    return collector;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** Splits a byte stream into syslog messages with octet counting (RFC 5425 section 4.3). */
function messagesIn(bytes: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('utf8', at, space));
    messages.push(bytes.toString('utf8', space + 1, space + 1 + length));
    at = space + 1 + length;
  }
  return messages;
}

it('delivers every record to every sink in order, and delivers again after an outage', async () => {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'collector' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  });
  const [collector, plain] = [await Collector.start({ cert, key }), await Collector.start()];
  const received: Buffer[] = [];
  const sockets = new Set<Socket>();
  const syslog = createTlsServer({ cert, key }, (socket) => {
    sockets.add(socket);
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => syslog.listen(0, '127.0.0.1', resolve));
  const database = await databaseBackends()
    .find(({ name }) => name === 'postgres')
    ?.open();

  collector.status = 503;
  const sinks = [
    {
      name: 'siem',
      type: 'https',
      format: 'ocsf',
      url: collector.url,
      token_file: file('siem.token', 'the-token\n'),
      ca_file: file('siem-ca.pem', cert),
    },
    { name: 'plain', type: 'https', format: 'cef', url: plain.url },
    // This sink does not trust the collector's certificate, so it must receive no record.
    { name: 'stranger', type: 'https', url: collector.url },
    {
      name: 'syslog',
      type: 'syslog',
      format: 'cef',
      host: '127.0.0.1',
      port: (syslog.address() as AddressInfo).port,
      ca_file: file('ca.pem', cert),
    },
    { name: 'archive', type: 'file', path: 'archive/records.jsonl' },
    ...(database
      ? [
          {
            name: 'warehouse',
            type: 'postgres',
            database_url_file: file('database.url', database.settings.databaseUrl ?? ''),
          },
        ]
      : []),
  ];
  const gate = await Gate.start({
    database: false,
    imports: [ProbeModule],
    env: { AUDIT_SINKS_FILE: file('sinks.yaml', JSON.stringify({ sinks })) },
  });
  const auditLog = () => readFileSync(gate.app.settings.audit.file, 'utf8').trimEnd().split('\n');
  const token = await gate.token({ scope: 'probe' });
  await gate.callTool(token, 'echo', { text: 'hello' });
  await gate.callTool(token, 'admin_only');
  // A lone surrogate and a NUL character in a tool name must not stop delivery.
  await gate.post(
    token,
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x\\ud800\\u0000y"}}`,
    {
      'mcp-protocol-version': '2025-11-25',
    },
  );
  await gate.waitForAuditLog(({ event }) => event === 'outcome');

  const archive = join(folder.path, 'archive/records.jsonl');
  const archived = () => (existsSync(archive) ? readFileSync(archive, 'utf8').trimEnd().split('\n') : []);
  await until(() => archived().length === auditLog().length);
  expect(archived()).toEqual(auditLog());

  await until(() => messagesIn(Buffer.concat(received)).length >= auditLog().length);
  const messages = messagesIn(Buffer.concat(received));
  expect(messages).toHaveLength(auditLog().length);
  for (const message of messages) {
    expect(message).toMatch(/^<\d{3}>1 \S+Z \S+ identity-aware-mcp-server - \w+ - CEF:0\|/);
  }
  expect(messages.some((message) => message.includes('reason=role_missing'))).toBe(true);

  const shown = async () =>
    (await gate.get('/health/ready')).body.sinks as { name: string; behind: number }[];
  expect(await shown()).toContainEqual({
    name: 'siem',
    behind: auditLog().length,
    failing_since: expect.any(String) as string,
  });
  collector.status = 302;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(collector.lines).toEqual([]);
  collector.status = 204;
  await until(() => collector.lines.length >= auditLog().length);
  expect(collector.lines).toHaveLength(auditLog().length);
  expect(JSON.parse(collector.lines[2] as string)).toMatchObject({
    class_uid: 6003,
    metadata: { sequence: 3 },
  });
  expect(collector.headers.at(-1)).toMatchObject({
    authorization: 'Bearer the-token',
    'content-type': 'application/x-ndjson',
  });
  await until(async () =>
    (await shown()).every(({ name, behind }) => (name === 'stranger' ? behind > 0 : behind === 0)),
  );
  expect(plain.lines).toHaveLength(auditLog().length);
  expect(plain.headers.at(-1)?.['content-type']).toBe('text/plain; charset=utf-8');

  // Outage of the syslog collector.
  sockets.forEach((socket) => socket.destroy());
  received.length = 0;
  await gate.callTool(token, 'echo', { text: 'again' });
  await until(() =>
    messagesIn(Buffer.concat(received)).some((message) => message.includes(`cn1=${auditLog().length} `)),
  );

  if (database) await expectOnlyGrowing(database, auditLog);
  await gate.close();
  await Promise.all([collector.stop(), plain.stop()]);
  sockets.forEach((socket) => socket.destroy());
  syslog.close();
  await database?.cleanup();
});

/** The table holds the audit log byte for byte and rejects updates and deletes. */
async function expectOnlyGrowing({ settings }: TestDatabase, auditLog: () => string[]): Promise<void> {
  const client = new pg.Client({ connectionString: settings.databaseUrl });
  await client.connect();
  const lines = async () =>
    (await client.query<{ line: string }>('select line from audit_records order by seq')).rows.map(
      ({ line }) => line,
    );
  await until(async () => (await lines()).length === auditLog().length);
  expect(await lines()).toEqual(auditLog());
  const denied = await client.query(
    "select record->>'tool' as tool from audit_records where record->>'decision' = 'deny'",
  );
  expect(denied.rows).toEqual([{ tool: 'admin_only' }, { tool: 'x\ufffd\ufffdy' }]);
  for (const statement of [
    'update audit_records set event = 1',
    'delete from audit_records',
    'truncate audit_records',
  ]) {
    await expect(client.query(statement)).rejects.toThrow('audit_records only grows');
  }
  await client.end();
}
