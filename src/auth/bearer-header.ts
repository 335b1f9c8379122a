/** Reading the access token from a request, and from nowhere but its `Authorization` header. Pure. */
import { AppError } from '../common/app-error.js';

/** RFC 6750 section 2.1, `b64token`. */
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

/**
 * @param authorization every value of the `Authorization` header, as received.
 * @param queryKeys names of the query parameters.
 * @throws AppError `token_missing` (401) where there is no bearer credential at all; `request_malformed` (400) where
 *   there are two, where one is in the query (forbidden by MCP), or where the header is not `Bearer` and one token.
 */
export function readBearerToken(authorization: readonly string[], queryKeys: readonly string[]): string {
  if (queryKeys.includes('access_token')) {
    throw invalidRequest('An access token must be sent in the Authorization header, never in the query');
  }
  if (authorization.length > 1) throw invalidRequest('More than one Authorization header');
  const header = authorization[0]?.trim() ?? '';
  const [scheme = '', ...rest] = header.split(' ');
  if (scheme.toLowerCase() !== 'bearer') {
    throw new AppError('token_missing', 'An access token is required', { status: 401, challenge: {} });
  }
  const token = rest.join(' ').trim();
  if (!B64TOKEN.test(token)) throw invalidRequest('The Authorization header must be "Bearer" and one token');
  return token;
}

function invalidRequest(message: string): AppError {
  return new AppError('request_malformed', message, {
    status: 400,
    challenge: { error: 'invalid_request', errorDescription: message },
  });
}
