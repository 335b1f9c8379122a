/**
 * Records and answers requests that Node's HTTP parser rejects: malformed HTTP, headers over 16 KiB, incomplete
 * requests.
 */
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { AuditService } from '../audit/audit.service.js';
import { plainAddress } from '../lib/ip-addresses.js';
import { malformedRequest } from '../core/app-error.js';
import { TOO_SLOW } from './read-body.js';
import { newRequestContext } from '../core/request-context.js';
import { UNKNOWN_ADDRESS } from '../core/sender.js';
import { RequestObserver } from '../core/request-observer.js';
import { errorBody } from './render-error.js';

/** Status by error code of Node.js. Default 400. */
const STATUS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  [TOO_SLOW]: 408,
};

@Injectable()
export class ClientErrorHandler implements OnApplicationBootstrap {
  /** Last response of a connection. */
  private readonly latest = new WeakMap<Socket, ServerResponse>();

  constructor(
    private readonly http: HttpAdapterHost,
    private readonly audit: AuditService,
    private readonly observer: RequestObserver,
  ) {}

  onApplicationBootstrap(): void {
    const server = this.http.httpAdapter.getHttpServer() as Server;
    server.on('request', ({ socket }, response) => this.latest.set(socket, response));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const { code = '' } = error;
      const response = this.latest.get(socket as Socket);
      if (!isFault(code)) socket.destroy();
      else if (response?.req.complete === false) endBody(error, response);
      else void this.refuse(code, socket as Socket).finally(() => socket.destroy());
    });
  }

  private async refuse(code: string, socket: Socket): Promise<void> {
    // A connection without data has sent no request.
    if (socket.bytesRead === 0 || !socket.writable) return;
    const status = STATUS[code] ?? 400;
    const fault = malformedRequest('The request is malformed', { status });
    const requestContext = newRequestContext({
      requestId: randomUUID(),
      trace: undefined,
      ip: plainAddress(socket.remoteAddress ?? '') ?? UNKNOWN_ADDRESS,
      client: null,
      parsed: { ok: false, id: null, fault },
    });
    socket.pause();
    await this.audit.recordRefusal(requestContext, 'request_malformed');
    this.observer.end(requestContext, status);
    const body = JSON.stringify(errorBody(fault, requestContext));
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/json; charset=utf-8',
      'cache-control: no-store',
      `x-request-id: ${requestContext.requestId}`,
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
    ];
    await new Promise<void>((resolve) => {
      socket.once('close', resolve);
      socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, resolve);
    });
  }
}

/** False for a disconnect. */
function isFault(code: string): boolean {
  return (code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE') || code === TOO_SLOW;
}

/** The request has reached the pipeline: its body reader answers and records the fault. */
function endBody(error: Error, response: ServerResponse): void {
  const { req } = response;
  if (req.listenerCount('error') === 0) return void req.socket.destroy();
  // Node checks the time limit of a request once.
  response.shouldKeepAlive = false;
  req.emit('error', error);
}
