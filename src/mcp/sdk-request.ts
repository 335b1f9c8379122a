/** Converts requests and responses between Node.js and the MCP SDK. */
import { toWebRequest, type NodeIncomingMessageLike } from '@modelcontextprotocol/node';
import type { McpHttpHandler, ServerContext } from '@modelcontextprotocol/server';
import type { AnswerForm, AuthorizedRequest } from '../core/request-context.js';
import { headersFor } from './parse-request.js';
import { inForm } from './response-format.js';

/** The SDK sets keep-alive on streams; the connection belongs to the server (RFC 9110 section 7.6.1). */
export function toClient(handler: McpHttpHandler, form: AnswerForm): Pick<McpHttpHandler, 'fetch'> {
  return {
    fetch: async (request, options) => {
      const response = await handler.fetch(request, options);
      response.headers.delete('connection');
      return inForm(response, form);
    },
  };
}

/** The decided message with derived headers. Other headers do not reach the SDK. */
export function toSdkRequest(requestContext: AuthorizedRequest): NodeIncomingMessageLike {
  return {
    method: 'POST',
    url: '/',
    headers: headersFor(requestContext.parsed.message),
    auth: authOf(requestContext),
    // The parsed message is passed; there is no body to read.
    async *[Symbol.asyncIterator]() {},
  };
}

/** Body of the answer to a request whose response has already started. */
export async function textOfAnswer(
  handler: McpHttpHandler,
  requestContext: AuthorizedRequest,
): Promise<string> {
  const parsedBody = requestContext.parsed.message.body;
  const request = await toWebRequest(toSdkRequest(requestContext), parsedBody);
  const answer = await handler.fetch(request, { authInfo: authOf(requestContext), parsedBody });
  return answer.text();
}

/** Identity for the SDK, without the token. */
export function authOf(requestContext: AuthorizedRequest) {
  const { clientId, scopes, expiresAt } = requestContext.principal;
  return { token: 'withheld', clientId, scopes: [...scopes], expiresAt, extra: { requestContext } };
}

/** @throws Error if the SDK was called outside of the pipeline. */
export function authorizedRequestIn(context: ServerContext | undefined): AuthorizedRequest {
  return authorizedRequestFrom(context?.http?.authInfo?.extra);
}

/** @param extra of {@link authOf}. */
export function authorizedRequestFrom(extra: Record<string, unknown> | undefined): AuthorizedRequest {
  const requestContext = extra?.requestContext as AuthorizedRequest | undefined;
  if (!requestContext) throw new Error('The SDK was reached without a request context');
  return requestContext;
}
