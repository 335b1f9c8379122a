/** Prepares every request before routing: target, request id, headers of every response. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AccessLog } from './access-log.js';
import { assignRequestId } from './request-logging.js';
import { toOriginForm } from './request-target.js';

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Two years (RFC 6797), without subdomains. */
const STRICT_TRANSPORT = 'max-age=63072000';

/** @param isHttps true if clients use https. */
export function requestListener(
  handle: RequestHandler,
  accessLog: AccessLog,
  isHttps: boolean,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    toOriginForm(request);
    assignRequestId(request, response);
    response.setHeader('x-content-type-options', 'nosniff');
    if (isHttps) response.setHeader('strict-transport-security', STRICT_TRANSPORT);
    accessLog.watch(request, response);
    void handle(request, response);
  };
}
