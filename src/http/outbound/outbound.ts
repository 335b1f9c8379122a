/** Sends outbound requests through the proxies of the settings: those of `fetch`, and those of `node:http`. */
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
 * Gives `fetch` of this process the proxies, on every version of Node.js. Without proxies nothing changes.
 * @returns takes them away again and closes the connections.
 */
export async function useProxies(outbound: OutboundSettings | undefined): Promise<() => Promise<void>> {
  if (!outbound) return () => Promise.resolve();
  // Loaded for those who have a proxy, and for nobody else.
  const { Agent, getGlobalDispatcher, setGlobalDispatcher, buildConnector: build } = await import('undici');
  const before = getGlobalDispatcher();
  const agent = new Agent({ connect: connectorOf(outbound, build({})) });
  setGlobalDispatcher(agent);
  return async () => {
    if (getGlobalDispatcher() === agent) setGlobalDispatcher(before);
    await agent.destroy();
  };
}

/** For `undici`: connects through the proxy for the target, or directly. */
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
 * For `node:http` and `node:https`: an agent for requests to this one target.
 * @param options of TLS with the target, and of the agent.
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

/** As `Agent` has it: of a failure the stream is not looked at. */
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
