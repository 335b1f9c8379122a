/** A forward proxy (HTTP CONNECT) that resolves names without DNS. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';

export class TestProxy {
  /** Each requested `host:port` with the proxy credentials. */
  readonly asked: { readonly authority: string; readonly authorization: string | undefined }[] = [];
  /** If set, the status of every response. */
  refusing: number | undefined;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    /** The port that receives all connections. */
    private readonly target: () => number,
  ) {
    server.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) =>
      this.take(request, client, head),
    );
  }

  static async start(target: () => number, tls?: { key: string; cert: string }): Promise<TestProxy> {
    const server = tls ? createTlsServer(tls) : createServer();
    const proxy = new TestProxy(server as Server, target);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  askedFor(authority: string): number {
    return this.asked.filter((one) => one.authority === authority).length;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take({ url = '', headers }: IncomingMessage, client: Socket, head: Buffer): void {
    this.asked.push({ authority: url, authorization: headers['proxy-authorization'] });
    client.on('error', () => undefined);
    this.sockets.add(client);
    if (this.refusing !== undefined) {
      client.end(`HTTP/1.1 ${this.refusing} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const target = connect(this.target(), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      target.write(head);
      target.pipe(client).pipe(target);
    });
    this.sockets.add(target);
    target.on('error', () => client.destroy());
    client.on('close', () => target.destroy());
  }
}
