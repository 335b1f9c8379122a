/** Connection to a target through a proxy: HTTP CONNECT (RFC 9110 section 9.3.6), then TLS with the target. */
import { request as overPlain } from 'node:http';
import { request as overTls } from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { ProxySettings } from '../../config/settings.js';

/** Time limit for the response of the proxy. */
const TIMEOUT_MS = 10_000;

/** Failure on the way through a proxy. The message names the proxy without credentials. */
export class ProxyError extends Error {
  constructor(
    message: string,
    readonly code = 'ERR_PROXY',
  ) {
    super(message);
    this.name = 'ProxyError';
  }
}

/**
 * Bytes of the target directly after the response of the proxy stay on the socket.
 * @param host name or address, an IPv6 address without brackets.
 * @throws ProxyError if the proxy is unreachable, does not answer within 10 s, or rejects the request.
 */
export function openTunnel(proxy: ProxySettings, host: string, port: number): Promise<Socket> {
  const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    const request = (proxy.secure ? overTls : overPlain)({
      host: proxy.hostname,
      port: proxy.port,
      method: 'CONNECT',
      path: authority,
      agent: false,
      ...(proxy.secure && { minVersion: 'TLSv1.2' as const }),
      headers: {
        host: authority,
        ...(proxy.authorization !== undefined && { 'proxy-authorization': proxy.authorization }),
      },
    });
    const timer = setTimeout(
      () => request.destroy(Object.assign(new Error(`no answer within ${TIMEOUT_MS} ms`))),
      TIMEOUT_MS,
    );
    request.once('connect', ({ statusCode }, socket, head) => {
      clearTimeout(timer);
      if (statusCode === 200) {
        if (head.length > 0) socket.unshift(head);
        return resolve(socket as Socket);
      }
      socket.destroy();
      reject(new ProxyError(`The proxy ${proxy.name} answered ${statusCode} to CONNECT ${authority}`));
    });
    request.once('response', (response) => {
      response.destroy();
      request.destroy(new Error('no answer to CONNECT'));
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(failedThrough(proxy, 'cannot be used', error));
    });
    request.end();
  });
}

/** An error of the network or of TLS with the target; the message names the proxy. */
export function failedThrough({ name }: ProxySettings, what: string, error: Error): ProxyError {
  const { code, message } = error as NodeJS.ErrnoException;
  const why = code !== undefined && !message.includes(code) ? `${message} (${code})` : message || code;
  return new ProxyError(`The proxy ${name} ${what}: ${why || error.name}`, code);
}
