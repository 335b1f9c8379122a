/** TLS to PostgreSQL: each `sslmode` with the meaning that libpq documents. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';
import { PostgresSink } from '../src/audit/export/postgres.sink.js';
import { openPool } from '../src/storage/pool.js';
import { databaseBackends, testDatabaseUrl } from './support/database.js';

const hasPostgres = databaseBackends().some(({ name }) => name === 'postgres');
/** PostgreSQL `SSLRequest` message: length 8, code 80877103. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

interface Pair {
  readonly key: string;
  readonly cert: string;
}

/** TLS front for PostgreSQL that behaves as `ssl = on`: it accepts encrypted and plain connections. */
class TlsFront {
  /** For each connection: its encryption and the client certificate. */
  readonly seen: { encrypted: boolean; client: string | undefined }[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  constructor(private readonly pair: Pair) {
    this.server = createServer((socket) => this.take(socket));
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', (first: Buffer) => {
      if (!first.equals(SSL_REQUEST)) {
        this.seen.push({ encrypted: false, client: undefined });
        return this.join(socket, first);
      }
      socket.write('S');
      const secure = new TLSSocket(socket, {
        isServer: true,
        ...this.pair,
        requestCert: true,
        rejectUnauthorized: false,
      });
      secure.on('error', () => undefined);
      secure.once('secure', () => {
        const { subject } = secure.getPeerCertificate() as { subject?: { CN?: string } };
        this.seen.push({ encrypted: true, client: subject?.CN });
        this.join(secure);
      });
    });
  }

  private join(client: Socket, first?: Buffer): void {
    const { hostname, port } = new URL(testDatabaseUrl());
    const database = connect(Number(port || 5432), hostname);
    this.sockets.add(database);
    database.on('error', () => client.destroy());
    client.on('close', () => database.destroy());
    database.on('close', () => client.destroy());
    if (first) database.write(first);
    client.pipe(database);
    database.pipe(client);
  }
}

(hasPostgres ? describe : describe.skip)('PostgreSQL connection', () => {
  const folder = mkdtempSync(join(tmpdir(), 'database-tls-'));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  let named: TlsFront;
  let other: TlsFront;
  let ports: { named: number; other: number };
  let files: { authority: string; stranger: string; cert: string; key: string };

  beforeAll(async () => {
    const authority = await generate([{ name: 'commonName', value: 'Authority' }], {
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'keyUsage', keyCertSign: true, critical: true },
      ],
    });
    const pairOf = async (name: string, host: string): Promise<Pair> => {
      const made = await generate([{ name: 'commonName', value: name }], {
        ca: { key: authority.private, cert: authority.cert },
        extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: host }] }],
      });
      return { key: made.private, cert: made.cert };
    };
    const stranger = await generate([{ name: 'commonName', value: 'Stranger' }]);
    const client = await pairOf('gate', 'gate.example.com');
    named = new TlsFront(await pairOf('database', 'localhost'));
    other = new TlsFront(await pairOf('database', 'db.example.com'));
    ports = { named: await named.listen(), other: await other.listen() };
    files = {
      authority: file('ca.pem', authority.cert),
      stranger: file('stranger.pem', stranger.cert),
      cert: file('client.pem', client.cert),
      key: file('client.key', client.key),
    };
  });
  afterAll(async () => {
    await Promise.all([named.stop(), other.stop()]);
    rmSync(folder, { recursive: true });
  });

  function urlOf(front: 'named' | 'other', query: string): string {
    const url = new URL(testDatabaseUrl());
    url.hostname = 'localhost';
    url.port = String(ports[front]);
    const given = query.replace(/\{(\w+)\}/g, (_all, name: keyof typeof files) =>
      encodeURIComponent(files[name]),
    );
    return `${url.href}${given === '' ? '' : `?${given}`}`;
  }

  async function result(front: 'named' | 'other', query: string): Promise<string> {
    const limits = { size: 1, connectMs: 5_000, statementMs: 5_000, answerMs: 5_000 };
    const pool = openPool(urlOf(front, query), limits);
    try {
      await pool.query('select 1');
      const { encrypted, client } = (front === 'named' ? named : other).seen.at(-1)!;
      return encrypted ? `encrypted${client === undefined ? '' : ` as ${client}`}` : 'plain';
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return code ?? message;
    } finally {
      await pool.end();
    }
  }

  const UNKNOWN = /SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT_LOCALLY)/;

  it.each([
    ['named', '', 'plain'],
    ['named', 'sslmode=disable', 'plain'],
    ['named', 'sslmode=require', 'encrypted'],
    ['named', 'ssl%6Dode=require', 'encrypted'],
    ['other', 'sslmode=require', 'encrypted'],
    ['named', 'sslmode=prefer', 'encrypted'],
    ['named', 'sslmode=allow', 'encrypted'],
    ['other', 'sslmode=require&sslrootcert={authority}', 'encrypted'],
    ['named', 'sslmode=require&sslrootcert={stranger}', UNKNOWN],
    ['named', 'sslmode=prefer&sslrootcert={stranger}', UNKNOWN],
    ['named', 'sslmode=verify-ca&sslrootcert={authority}', 'encrypted'],
    ['other', 'sslmode=verify-ca&sslrootcert={authority}', 'encrypted'],
    ['named', 'sslmode=verify-ca&sslrootcert={stranger}', UNKNOWN],
    ['named', 'sslmode=verify-full&sslrootcert={authority}', 'encrypted'],
    ['other', 'sslmode=verify-full&sslrootcert={authority}', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['named', 'sslmode=verify-full&sslrootcert={stranger}', UNKNOWN],
    ['named', 'sslmode=verify-full', UNKNOWN],
    ['named', 'ssl=true', UNKNOWN],
    ['named', 'sslrootcert={authority}', 'encrypted'],
    ['other', 'sslrootcert={authority}', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['named', 'sslmode=require&sslcert={cert}&sslkey={key}', 'encrypted as gate'],
    ['named', 'sslmode=verify-full&sslrootcert={authority}&sslcert={cert}&sslkey={key}', 'encrypted as gate'],
  ] as const)(
    'to the server with a certificate for the host (%s) and %j is %s',
    async (front, query, says) => {
      expect(await result(front, query)).toMatch(says);
    },
  );

  it('fails with sslmode=prefer when PostgreSQL has no TLS, and sends no password in clear text', async () => {
    const plain = createServer((socket) => socket.once('data', () => socket.write('N')));
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    const { port } = plain.address() as AddressInfo;
    const limits = { size: 1, connectMs: 2_000, statementMs: 2_000, answerMs: 2_000 };
    const pool = openPool(`postgres://a:b@localhost:${port}/c?sslmode=prefer`, limits);
    await expect(pool.query('select 1')).rejects.toThrow('The server does not support SSL connections');
    await pool.end();
    await new Promise((resolve) => plain.close(resolve));
  });

  it('verifies the certificate for an audit sink as for the gateway', async () => {
    const sink = new PostgresSink(urlOf('other', 'sslmode=verify-full&sslrootcert={authority}'));
    await expect(sink.deliver([])).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    await sink.close();
  });
});
