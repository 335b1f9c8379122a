/** Reads an HTTP request of the endpoint and returns a message or a fault. */
import type { IncomingMessage } from 'node:http';
import { AppError } from '../core/app-error.js';
import { readBody } from '../http/read-body.js';
import type { MessageFacts } from '../http/request-context.factory.js';
import type { ParsedRequest } from '../core/request-context.js';
import { CONTRADICTION, singleValue, withoutRepeats } from '../core/header-values.js';
import { CLIENT_INFO_META_KEY } from '../core/mcp-types.js';
import type { JsonObject } from '../lib/json.js';
import { classify } from './classify.js';
import { toParsedRequest, type McpHeaders } from './parse-request.js';

export async function readRequest(request: IncomingMessage): Promise<ParsedRequest> {
  return request.method === 'POST'
    ? toParsedRequest(mcpHeadersOf(request), await readBody(request), classify)
    : onlyPost();
}

/** Client and trace of the message. */
export function messageFacts(parsed: ParsedRequest): MessageFacts {
  if (!parsed.ok) return {};
  const { params } = parsed.message;
  const meta = params._meta as JsonObject | undefined;
  return { meta, clientInfo: meta?.[CLIENT_INFO_META_KEY] ?? params.clientInfo };
}

function mcpHeadersOf(request: IncomingMessage): McpHeaders {
  const protocolVersion = singleValue(request, 'mcp-protocol-version');
  const method = singleValue(request, 'mcp-method');
  const name = singleValue(request, 'mcp-name');
  const { accept } = request.headers;
  if (protocolVersion === CONTRADICTION) return contradictory('MCP-Protocol-Version', accept);
  if (method === CONTRADICTION) return contradictory('Mcp-Method', accept);
  if (name === CONTRADICTION) return contradictory('Mcp-Name', accept);
  return {
    protocolVersion: protocolVersion && withoutRepeats(protocolVersion),
    method: method && withoutRepeats(method),
    name,
    accept,
  };
}

function contradictory(header: string, accept: string | undefined): McpHeaders {
  return { protocolVersion: undefined, method: undefined, name: undefined, accept, contradictory: header };
}

/** Without sessions every request is a POST (MCP, streamable HTTP). */
function onlyPost(): ParsedRequest {
  const fault = new AppError('method_not_allowed', 'The endpoint accepts POST only', {
    status: 405,
    headers: { allow: 'POST' },
  });
  return { ok: false, id: null, fault };
}
