/** Sends outbound requests of `fetch` and `node:http` through the configured proxies. */
import { Agent as PlainAgent, type AgentOptions, type ClientRequestArgs } from 'node:http';
import { Agent as TlsAgent, type AgentOptions as TlsAgentOptions, type RequestOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { buildConnector } from 'undici';
import { proxyFor } from '../../config/proxies.js';
import type { OutboundSettings, ProxySettings } from '../../config/settings.js';
import { failedThrough, openTunnel } from './tunnel.js';

type Connected = (error: Error | null, socket: Socket | null) => void;

/**
 * Installs the proxies for `fetch` of this process, on every version of Node.js. No effect without proxies.
 * @returns a function that removes them and closes the connections.
 */
export async function useProxies(outbound: OutboundSettings | undefined): Promise<() => Promise<void>> {
  if (!outbound) return () => Promise.resolve();
  // Loaded only with a proxy.
  const { Agent, getGlobalDispatcher, setGlobalDispatcher, buildConnector: build } = await import('undici');
  const before = getGlobalDispatcher();
  const agent = new Agent({ connect: connectorOf(outbound, build({})) });
  setGlobalDispatcher(agent);
  return async () => {
    if (getGlobalDispatcher() === agent) setGlobalDispatcher(before);
    await agent.destroy();
  };
}

/** Connector of `undici`: through the proxy of the target, or direct. */
function connectorOf(outbound: OutboundSettings, direct: buildConnector.connector): buildConnector.connector {
  return (options, callback) => {
    const { protocol, hostname, port } = options;
    const target = `${protocol}//${hostname}${port ? `:${port}` : ''}`;
    const proxy = proxyFor(outbound, target);
    if (!proxy) return direct(options, callback);
    const done = callback as Connected;
    void openTunnel(proxy, bare(hostname), Number(port || (protocol === 'https:' ? 443 : 80))).then(
      (socket) => {
        if (protocol !== 'https:') return done(null, socket);
        direct({ ...options, httpSocket: socket }, (error, secure) => {
          if (error) socket.destroy();
          done(error && failedThrough(proxy, `reached ${hostname}, which failed`, error), secure);
        });
      },
      (error: Error) => done(error, null),
    );
  };
}

/**
 * Agent of `node:http` and `node:https` for one target.
 * @param options TLS options of the target, and options of the agent.
 */
export function agentFor(
  outbound: OutboundSettings | undefined,
  target: string,
  options: TlsAgentOptions,
): PlainAgent | TlsAgent {
  const isSecure = new URL(target).protocol === 'https:';
  const proxy = proxyFor(outbound, target);
  if (isSecure) return proxy ? new TunnelTlsAgent(proxy, options) : new TlsAgent(options);
  return proxy ? new TunnelAgent(proxy, options) : new PlainAgent(options);
}

type Created = (error: Error | null, stream: Duplex) => void;

class TunnelAgent extends PlainAgent {
  constructor(
    private readonly proxy: ProxySettings,
    options: AgentOptions,
  ) {
    super(options);
  }

  override createConnection({ host, port }: ClientRequestArgs, created?: Created): undefined {
    report(openTunnel(this.proxy, bare(host ?? ''), Number(port)), created);
  }
}

class TunnelTlsAgent extends TlsAgent {
  constructor(
    private readonly proxy: ProxySettings,
    options: TlsAgentOptions,
  ) {
    super(options);
  }

  override createConnection(options: RequestOptions, created?: Created): undefined {
    const tunnel = openTunnel(this.proxy, bare(options.host ?? ''), Number(options.port));
    report(
      tunnel.then((socket) => secured(this.proxy, socket, options as ConnectionOptions)),
      created,
    );
  }
}

/** Contract of `Agent`: the stream is ignored after an error. */
function report(connection: Promise<Duplex>, created: Created = () => undefined): void {
  connection.then(
    (stream) => created(null, stream),
    (error: Error) => created(error, undefined as never),
  );
}

function secured(proxy: ProxySettings, socket: Socket, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = connect({ ...options, socket });
    const failed = (error: Error) => {
      socket.destroy();
      reject(failedThrough(proxy, `reached ${options.host}, which failed`, error));
    };
    secure.once('error', failed);
    secure.once('secureConnect', () => {
      secure.off('error', failed);
      resolve(secure);
    });
  });
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
