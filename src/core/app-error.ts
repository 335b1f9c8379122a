/** The one error that a client may see: a stable code, a public text, and a private cause. */
import type { Challenge } from './challenge.js';
import type { Reason } from './reasons.js';
import { RpcCode } from './rpc-code.js';

/** Codes of answers that refuse nobody: the route or the method is not there. */
export type RouteCode = 'not_found' | 'method_not_allowed';

export type ErrorCode = Reason | RouteCode;

export interface AppErrorOptions {
  readonly status: number;
  /** JSON-RPC error code; the HTTP status where nothing better is defined. */
  readonly rpcCode?: number;
  /** Fields of the JSON-RPC `data` beside `reason` and `decision_id`. Public. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly challenge?: Challenge;
  readonly retryAfterSeconds?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Public; in place of the usual body, where a protocol of its own says what an error looks like. */
  readonly body?: Readonly<Record<string, string>>;
  /** What the audit log says, where it may say more than the client is told. */
  readonly recordedReason?: Reason;
  /** Never shown to a client; logged. */
  readonly cause?: unknown;
}

/**
 * @param code one of a closed list; callers switch on it.
 * @param message public: a client reads it verbatim.
 */
export class AppError extends Error {
  readonly status: number;
  readonly rpcCode: number;
  readonly data: Readonly<Record<string, unknown>>;
  readonly challenge: Challenge | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, string>> | undefined;
  readonly recordedReason: Reason | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: AppErrorOptions,
  ) {
    super(message, { cause: options.cause });
    this.name = 'AppError';
    this.status = options.status;
    this.rpcCode = options.rpcCode ?? options.status;
    this.data = options.data ?? {};
    this.challenge = options.challenge;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.headers = options.headers ?? {};
    this.body = options.body;
    this.recordedReason = options.recordedReason;
  }
}

/** An exception that nobody foresaw: a denial with a fixed text. */
export function unexpectedError(cause: unknown): AppError {
  return new AppError('internal_error', 'Internal error', {
    status: 500,
    rpcCode: RpcCode.InternalError,
    cause,
  });
}

/** The request itself is not one that the gate can read. */
export function malformedRequest(
  message: string,
  options: Partial<AppErrorOptions> & { cause?: unknown } = {},
): AppError {
  return new AppError('request_malformed', message, {
    status: 400,
    rpcCode: RpcCode.InvalidRequest,
    ...options,
  });
}
