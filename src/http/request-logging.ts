/** How the server logs: JSON lines on stdout, with nothing in them that a caller sent beyond its address and path. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Params } from 'nestjs-pino';
import { pino, type DestinationStream } from 'pino';
import { randomUUID } from 'node:crypto';
import { redactTokens } from '../lib/redact-tokens.js';
import type { LogContext } from './log-context.js';
import type { Settings } from '../config/settings.js';

/** Lines that wait for a log that takes none, in bytes; what is beyond is dropped. */
const MAX_WAITING_BYTES = 1024 * 1024;

export function loggerOptions({ level, pretty }: Settings['log'], context: LogContext): Params {
  const options = {
    level,
    mixin: () => context.bindings(),
    ...(pretty && { transport: { target: 'pino-pretty' } }),
    // AccessLog writes that line.
    autoLogging: false,
    // Headers hold tokens, and so may a query that should not have been sent.
    serializers: {
      req: (request: { id: unknown; method: unknown; url?: string; remoteAddress: unknown }) => ({
        id: request.id,
        method: request.method,
        path: request.url && redactTokens(request.url.split('?')[0] ?? ''),
        ip: request.remoteAddress,
      }),
      res: (response: { statusCode: unknown }) => ({ status: response.statusCode }),
      err: (error: unknown) => describe(error, 0),
    },
  };
  return { pinoHttp: pretty ? options : [options, stdout()] };
}

/** A log that cannot be written (its disk is full, its reader is gone) must not stop what is logged. */
function stdout(): DestinationStream {
  const stream = pino.destination({ fd: 1, sync: true, maxLength: MAX_WAITING_BYTES });
  stream.removeAllListeners('error');
  stream.on('error', () => undefined);
  return stream;
}

/** Gives the request an id of this server's: one from outside could forge the log. pino-http takes over an id that is set. */
export function assignRequestId(request: IncomingMessage, response: ServerResponse): void {
  const id = randomUUID();
  request.id = id;
  response.setHeader('x-request-id', id);
}

/** Type, message and stack of an error and its causes, and none of its other fields: those may hold claims or arguments. */
function describe(error: unknown, depth: number): object {
  // pino-http hands over what pino made of the error; the error itself is its `raw`.
  const raw = (error as { raw?: unknown } | undefined)?.raw ?? error;
  if (typeof raw !== 'object' || raw === null) return { type: typeof raw };
  const { name, code, message, stack, cause, errors } = raw as Partial<AggregateError> & { code?: unknown };
  return {
    type: name,
    message,
    ...(typeof code === 'string' && { code }),
    stack,
    ...(Array.isArray(errors) && depth < 3 && { errors: errors.map((error) => describe(error, depth + 1)) }),
    ...(cause !== undefined && depth < 3 && { cause: describe(cause, depth + 1) }),
  };
}
