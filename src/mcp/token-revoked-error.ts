/** Error for a call whose token was revoked while it ran. Its result is withheld. */

/** Reason of an abort by revocation. */
export const REVOKED = Symbol('revoked');

/** JSON-RPC error of both paths. */
export class TokenRevokedError extends Error {
  readonly code = 401;
  readonly data: { readonly reason: 'token_revoked'; readonly decision_id: string };

  constructor(decisionId: string) {
    super('The token was revoked');
    this.name = 'Withheld';
    this.data = { reason: 'token_revoked', decision_id: decisionId };
  }
}

/** Resolves like the call; rejects earlier on revocation. The handler ends by itself, and its outcome is recorded. */
export function rejectIfRevoked<T>(
  cancelled: AbortSignal,
  decisionId: string,
  call: () => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    cancelled.addEventListener('abort', () => {
      if (cancelled.reason === REVOKED) reject(new TokenRevokedError(decisionId));
    });
    call().then(resolve, reject);
  });
}
