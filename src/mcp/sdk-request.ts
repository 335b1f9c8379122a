/** A request as the MCP SDK takes it, and the answer of the SDK as the client takes it. */
import { toWebRequest, type NodeIncomingMessageLike } from '@modelcontextprotocol/node';
import type { McpHttpHandler, ServerContext } from '@modelcontextprotocol/server';
import type { AnswerForm, AuthorizedRequest } from '../core/request-context.js';
import { headersFor } from './parse-request.js';
import { inForm } from './response-format.js';

/** The SDK says keep-alive on every stream; the server alone decides on its connection (RFC 9110 section 7.6.1). */
export function toClient(handler: McpHttpHandler, form: AnswerForm): Pick<McpHttpHandler, 'fetch'> {
  return {
    fetch: async (request, options) => {
      const response = await handler.fetch(request, options);
      response.headers.delete('connection');
      return inForm(response, form);
    },
  };
}

/** The message that was decided, and headers made from it. No other header gets to the SDK. */
export function toSdkRequest(requestContext: AuthorizedRequest): NodeIncomingMessageLike {
  return {
    method: 'POST',
    url: '/',
    headers: headersFor(requestContext.parsed.message),
    auth: authOf(requestContext),
    // The message is handed over as it was parsed: there are no bytes to read.
    async *[Symbol.asyncIterator]() {},
  };
}

/** The body of the answer to a request whose response has begun already. */
export async function textOfAnswer(
  handler: McpHttpHandler,
  requestContext: AuthorizedRequest,
): Promise<string> {
  const parsedBody = requestContext.parsed.message.body;
  const request = await toWebRequest(toSdkRequest(requestContext), parsedBody);
  const answer = await handler.fetch(request, { authInfo: authOf(requestContext), parsedBody });
  return answer.text();
}

/** The identity that the SDK carries along. The token is not part of it. */
export function authOf(requestContext: AuthorizedRequest) {
  const { clientId, scopes, expiresAt } = requestContext.principal;
  return { token: 'withheld', clientId, scopes: [...scopes], expiresAt, extra: { requestContext } };
}

/** @throws Error where the SDK was reached past the pipeline. */
export function authorizedRequestIn(context: ServerContext | undefined): AuthorizedRequest {
  return authorizedRequestFrom(context?.http?.authInfo?.extra);
}

/** @param extra of {@link authOf}. */
export function authorizedRequestFrom(extra: Record<string, unknown> | undefined): AuthorizedRequest {
  const requestContext = extra?.requestContext as AuthorizedRequest | undefined;
  if (!requestContext) throw new Error('The SDK was reached without a request context');
  return requestContext;
}
