import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { testDatabaseUrl } from './database.js';

/** TCP relay in front of PostgreSQL that simulates outages. */
export class Relay {
  private readonly sockets = new Set<Socket>();
  private mode: 'accept' | 'refuse' | 'hold' = 'accept';

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Relay> {
    const server = createServer();
    const relay = new Relay(server);
    server.on('connection', (socket) => relay.connect(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  private get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The URL of a database through the relay, with a password that PostgreSQL does not check. */
  urlOf(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    url.password = 's3cret%2Fword';
    return url.href;
  }

  accept(): void {
    this.mode = 'accept';
  }

  refuse(): void {
    this.mode = 'refuse';
  }

  /** Drops all data without closing a connection. */
  hold(): void {
    this.mode = 'hold';
    this.silence();
  }

  /** Simulates a moved database: existing connections are dead, new ones work. */
  silence(): void {
    for (const socket of this.sockets) socket.unpipe();
  }

  /** Simulates a crash of the database server. */
  drop(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    this.drop();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private connect(socket: Socket): void {
    if (this.mode === 'refuse') {
      socket.resetAndDestroy();
      return;
    }
    if (this.mode === 'hold') {
      this.sockets.add(socket.on('error', () => undefined));
      return;
    }
    const target = new URL(testDatabaseUrl());
    const upstream = connect(Number(target.port || 5432), target.hostname);
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      this.sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
  }
}
