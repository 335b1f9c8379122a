/** Reads the access token from the `Authorization` header only. Pure. */
import { AppError } from '../core/app-error.js';
import type { AuthScheme } from '../core/challenge.js';
import { invalidTokenError } from './token-errors.js';

export interface Credential {
  readonly scheme: AuthScheme;
  readonly token: string;
}

const SCHEMES: readonly AuthScheme[] = ['Bearer', 'DPoP'];

/** Below the limit of Node.js, which rejects headers over 16 KiB with 431 and without a record. */
const MAX_TOKEN_LENGTH = 15_000;

/** RFC 9110 section 11.2, `token68`; RFC 6750 section 2.1 calls it `b64token`. */
const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/;

/**
 * @param authorization all values of the `Authorization` header.
 * @param queryKeys names of the query parameters.
 * @throws AppError `token_missing` (401) without a token; `request_malformed` (400) for two tokens, a token in the
 * query (forbidden by MCP) or a malformed header; `token_malformed` (401) for more than 15,000 characters.
 */
export function readCredential(authorization: readonly string[], queryKeys: readonly string[]): Credential {
  if (queryKeys.includes('access_token')) {
    throw invalidRequest('An access token must be sent in the Authorization header, never in the query');
  }
  if (authorization.length > 1) throw invalidRequest('More than one Authorization header');
  const [name = '', ...rest] = (authorization[0]?.trim() ?? '').split(' ');
  const scheme = SCHEMES.find((one) => one.toLowerCase() === name.toLowerCase());
  const token = rest.join(' ').trim();
  if (!scheme || token === '')
    throw new AppError('token_missing', 'An access token is required', { status: 401, challenge: {} });
  if (!TOKEN68.test(token))
    throw invalidRequest(`The Authorization header must be "${scheme}" and one token`);
  if (token.length > MAX_TOKEN_LENGTH) throw invalidTokenError('token_malformed', 'The token is too long');
  return { scheme, token };
}

function invalidRequest(message: string): AppError {
  return new AppError('request_malformed', message, {
    status: 400,
    challenge: { error: 'invalid_request', errorDescription: message },
  });
}
