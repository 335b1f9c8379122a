import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import { testDatabaseUrl } from './database.js';

/** Stands between the program and PostgreSQL, and misbehaves on request. */
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

  /** The address of a database as seen through the relay, with a password that nobody asks for. */
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

  /** Nothing gets through any more, and nobody is told. */
  hold(): void {
    this.mode = 'hold';
    this.silence();
  }

  /** As a database that moved elsewhere without a word: what is open is dead, what is opened now is served. */
  silence(): void {
    for (const socket of this.sockets) socket.unpipe();
  }

  /** As a crash of the server looks from here. */
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
