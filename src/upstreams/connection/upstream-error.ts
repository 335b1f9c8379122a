/** Failure of an upstream: a closed list of codes, and messages without data of the upstream. */

/**
 * `refused`: error response. `session_lost`: unknown session. `unauthorized`: credentials rejected. `credentials`: no
 * token available. `busy`: too many waiting calls. `paused`: paused after repeated failures. `changed`: the tool
 * differs from its pin.
 */
export type UpstreamErrorCode =
  | 'unreachable'
  | 'timeout'
  | 'refused'
  | 'too_large'
  | 'session_lost'
  | 'unauthorized'
  | 'credentials'
  | 'busy'
  | 'paused'
  | 'changed';

export class UpstreamError extends Error {
  /** @param message public, completes a sentence about the failed part. The cause is for the log. */
  constructor(
    readonly code: UpstreamErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'UpstreamError';
  }
}
