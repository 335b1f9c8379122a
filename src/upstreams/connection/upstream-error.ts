/** Why an upstream could not do what it was asked: a closed list of codes, and words that hold nothing of what it said. */

/**
 * `refused`: it answered with an error. `session_lost`: it does not know the conversation any more. `unauthorized`: it does
 * not accept how the gate proves itself. `credentials`: no token for it could be had. `busy`: too many calls wait.
 * `paused`: it failed too often lately, and is left alone for a while. `changed`: its tool is not the one that was accepted.
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
  /** @param message public, and to be read behind the name of what failed. The cause is for the log. */
  constructor(
    readonly code: UpstreamErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'UpstreamError';
  }
}
