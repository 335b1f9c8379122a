/** Error with a stable code, a public text and a private cause. Clients see the code and the text. */
import type { Challenge } from './challenge.js';
import type { Reason } from './reasons.js';
import { RpcCode } from './rpc-code.js';

/** Codes for an unknown route or method. They are not denials. */
export type RouteCode = 'not_found' | 'method_not_allowed';

export type ErrorCode = Reason | RouteCode;

export interface AppErrorOptions {
  readonly status: number;
  /** JSON-RPC error code. Default: the HTTP status. */
  readonly rpcCode?: number;
  /** Members of the JSON-RPC `data` beside `reason` and `decision_id`. Public. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly challenge?: Challenge;
  readonly retryAfterSeconds?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Public body in place of the JSON-RPC error, for protocols with their own error format. */
  readonly body?: Readonly<Record<string, string>>;
  /** Reason in the audit record, if it is more specific than the public code. */
  readonly recordedReason?: Reason;
  /** Private: logged, never sent. */
  readonly cause?: unknown;
}

/**
 * @param code one of a closed list; callers switch on it.
 * @param message public text, sent verbatim.
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

/** Unexpected exception: a denial with a fixed text. */
export function unexpectedError(cause: unknown): AppError {
  return new AppError('internal_error', 'Internal error', {
    status: 500,
    rpcCode: RpcCode.InternalError,
    cause,
  });
}

/** Denial of a request that is not well-formed. */
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
