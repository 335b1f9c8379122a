/** The answer of a call whose caller's token went out of force while it ran: it is kept from the caller. */

/** Why a call that runs is asked to stop, where that is the reason. */
export const REVOKED = Symbol('revoked');

/** As JSON-RPC says it, on either way. */
export class TokenRevokedError extends Error {
  readonly code = 401;
  readonly data: { readonly reason: 'token_revoked'; readonly decision_id: string };

  constructor(decisionId: string) {
    super('The token was revoked');
    this.name = 'Withheld';
    this.data = { reason: 'token_revoked', decision_id: decisionId };
  }
}

/** As the call ends; rejects before where the token goes out of force. What runs then ends by itself, and is on record when it has. */
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
