/** Logger configuration: JSON lines on stdout. Of a request they contain address and path only. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Params } from 'nestjs-pino';
import { pino, type DestinationStream } from 'pino';
import { randomUUID } from 'node:crypto';
import { redactTokens } from '../lib/redact-tokens.js';
import type { LogContext } from './log-context.js';
import type { Settings } from '../config/settings.js';

/** Buffer for lines while stdout blocks, in bytes; further lines are dropped. */
const MAX_WAITING_BYTES = 1024 * 1024;

export function loggerOptions({ level, pretty }: Settings['log'], context: LogContext): Params {
  const options = {
    level,
    mixin: () => context.bindings(),
    ...(pretty && { transport: { target: 'pino-pretty' } }),
    // AccessLog writes this line.
    autoLogging: false,
    // Headers contain tokens; a query may contain one by mistake.
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

/** A failing log (full disk, closed pipe) must not stop the server. */
function stdout(): DestinationStream {
  const stream = pino.destination({ fd: 1, sync: true, maxLength: MAX_WAITING_BYTES });
  stream.removeAllListeners('error');
  stream.on('error', () => undefined);
  return stream;
}

/** Assigns a request id of this server: an external one could forge log lines. pino-http keeps an existing id. */
export function assignRequestId(request: IncomingMessage, response: ServerResponse): void {
  const id = randomUUID();
  request.id = id;
  response.setHeader('x-request-id', id);
}

/** Type, message and stack of an error and its causes. Other fields may contain claims or arguments. */
function describe(error: unknown, depth: number): object {
  // pino-http passes a serialized error; `raw` is the error itself.
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
