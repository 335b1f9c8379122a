/** Compares `cnf` of a token (RFC 7800 section 3.1) with the proofs of its sender. Pure. */
import type { IssuerSettings } from '../../config/settings.js';
import { isJsonObject } from '../../lib/json.js';
import { invalidTokenError } from '../token-errors.js';
import { timingSafeStringEqual } from '../../lib/timing-safe-string-equal.js';

/** Verified thumbprints of the request. */
export interface Presented {
  /** RFC 7638, key of a verified DPoP proof. */
  readonly proofThumbprint?: string | undefined;
  /** RFC 8705 section 3.1, client certificate. */
  readonly certificateThumbprint?: string | undefined;
}

/** Verified bindings of a token. */
export interface Confirmation {
  readonly dpop: boolean;
  readonly mtls: boolean;
}

const METHODS = {
  jkt: { binding: 'dpop', presented: 'proofThumbprint', name: 'key of a DPoP proof' },
  'x5t#S256': { binding: 'mtls', presented: 'certificateThumbprint', name: 'client certificate' },
} as const;

/** SHA-256 in base64url. */
const THUMBPRINT = /^[\w-]{43}$/;

/**
 * @throws AppError `token_binding` if a member of `cnf` does not match or is unknown: an unknown binding cannot be
 * verified.
 */
export function confirm(cnf: unknown, presented: Presented): Confirmation {
  const held = { dpop: false, mtls: false };
  if (cnf === undefined) return held;
  if (!isJsonObject(cnf) || Object.keys(cnf).length === 0) throw unknownBinding();
  for (const [member, expected] of Object.entries(cnf)) {
    const method = Object.hasOwn(METHODS, member) ? METHODS[member as keyof typeof METHODS] : undefined;
    if (!method || typeof expected !== 'string' || !THUMBPRINT.test(expected)) throw unknownBinding();
    const given = presented[method.presented];
    if (given === undefined) {
      throw invalidTokenError('token_binding', `The token is bound to the ${method.name}, and none was sent`);
    }
    if (!timingSafeStringEqual(given, expected)) {
      throw invalidTokenError('token_binding', `The token is bound to another ${method.name}`);
    }
    held[method.binding] = true;
  }
  return held;
}

/**
 * @param bound verified bindings of the token.
 * @param tokenType `token_type` of an introspection response (RFC 7662 section 2.2).
 * @throws AppError `token_binding` if the token must be bound and is not.
 */
export function checkBound(
  bound: Confirmation,
  tokenType: unknown,
  { dpop, mtls }: Pick<IssuerSettings, 'dpop' | 'mtls'>,
): void {
  if (!bound.dpop && typeof tokenType === 'string' && tokenType.toLowerCase() === 'dpop') {
    throw invalidTokenError('token_binding', 'The token is of type DPoP but names no key (cnf.jkt)');
  }
  if (dpop === 'required' && !bound.dpop) {
    throw invalidTokenError(
      'token_binding',
      'This server requires tokens that are bound to a key (DPoP)',
      undefined,
      'DPoP',
    );
  }
  if (mtls === 'required' && !bound.mtls) {
    throw invalidTokenError(
      'token_binding',
      'This server requires tokens that are bound to a client certificate',
    );
  }
}

function unknownBinding() {
  return invalidTokenError('token_binding', 'The token has a binding (cnf) that this server cannot check');
}
