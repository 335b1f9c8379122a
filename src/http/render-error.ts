/** Renders every error as an HTTP response. Pure. */
import type { AppError } from '../core/app-error.js';
import { serializeChallenge, type AuthScheme, type Challenge } from '../core/challenge.js';
import type { RequestContext } from '../core/request-context.js';
import { isReason } from '../core/reasons.js';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** Facts of a challenge beside the error. */
export interface ChallengeFacts {
  /** URL of the RFC 9728 document. */
  readonly resourceMetadata: string;
  /** Scopes of the first challenge. A challenge with its own scopes keeps them. */
  readonly challengeScopes: readonly string[];
  /** Scope prefix of the caller's issuer. */
  readonly scopePrefix: string;
  /** Accepted schemes; without a scheme in the request, one challenge for each. */
  readonly schemes: readonly AuthScheme[];
  /** Accepted signature algorithms of proofs. */
  readonly algorithms: readonly string[];
}

/** @param requestContext of a request to the endpoint, answered in JSON-RPC. Other routes get plain JSON. */
export function renderError(
  error: AppError,
  requestContext: RequestContext | undefined,
  facts: ChallengeFacts,
): Answer {
  return {
    status: error.status,
    headers: headersOf(error, requestContext, facts),
    body: errorBody(error, requestContext),
  };
}

function headersOf(
  error: AppError,
  requestContext: RequestContext | undefined,
  facts: ChallengeFacts,
): Record<string, string> {
  const { challenge, retryAfterSeconds } = error;
  return {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    ...error.headers,
    ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
    ...(challenge && { 'www-authenticate': challengesOf(challenge, error.status, requestContext, facts) }),
  };
}

/** One challenge in the scheme that helps, or one per scheme if the request used none. */
function challengesOf(
  challenge: Challenge,
  status: number,
  requestContext: RequestContext | undefined,
  facts: ChallengeFacts,
): string {
  const scopes = challenge.scope ?? (status === 401 ? facts.challengeScopes : undefined);
  const full: Challenge = {
    ...challenge,
    scope: scopes?.map((scope) => facts.scopePrefix + scope),
    algorithms: facts.algorithms,
    resourceMetadata: facts.resourceMetadata,
  };
  const chosen = challenge.scheme ?? requestContext?.scheme;
  return (chosen ? [chosen] : facts.schemes).map((scheme) => serializeChallenge(full, scheme)).join(', ');
}

/** JSON-RPC for the endpoint, plain JSON for other routes. */
export function errorBody(error: AppError, requestContext: RequestContext | undefined): unknown {
  if (error.body) return error.body;
  const message = messageOf(error);
  const retry = error.retryAfterSeconds === undefined ? {} : { retry_after: error.retryAfterSeconds };
  // A code outside of the reasons is not a decision and has no record.
  if (!requestContext || !isReason(error.code)) return { error: { code: error.code, message, ...retry } };
  return {
    jsonrpc: '2.0',
    id: requestContext.parsed.id,
    error: {
      code: error.rpcCode,
      message,
      data: { ...error.data, ...retry, reason: error.code, decision_id: requestContext.decisionId },
    },
  };
}

/** States the seconds of `Retry-After`: models read the message, not the header. */
function messageOf({ message, retryAfterSeconds: seconds }: AppError): string {
  if (seconds === undefined) return message;
  return `${message}: retry in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}`;
}
