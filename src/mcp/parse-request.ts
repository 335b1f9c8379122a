/** Validates a parsed body with its headers and returns a message or a fault. Pure. */
import { malformedRequest } from '../core/app-error.js';
import type { ParsedRequest, Message, RequestId } from '../core/request-context.js';
import type { Body } from '../http/read-body.js';
import { withoutRepeats } from '../core/header-values.js';
import { acceptedForms } from '../http/accept.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';
import { dropNullMembers } from './drop-null-members.js';
import { RpcCode } from '../core/rpc-code.js';
import { DEFAULT_NEGOTIATED_PROTOCOL_VERSION } from '../core/mcp-types.js';

/** Headers that must match the body (MCP 2026-07-28, streamable HTTP, "Request Metadata"), and `Accept`. */
export interface McpHeaders {
  readonly protocolVersion: string | undefined;
  readonly method: string | undefined;
  readonly name: string | undefined;
  readonly accept: string | undefined;
  /** Name of a header with different values. */
  readonly contradictory?: string;
}

/** Era of a message, or its protocol error, from the SDK. */
export type Classified =
  | {
      readonly kind: 'served';
      readonly era: Message['era'];
      readonly isRequest: boolean;
      /** Revision of the header. Unset if the header does not apply. */
      readonly revision?: string | undefined;
    }
  | {
      readonly kind: 'rejected';
      readonly status: number;
      readonly code: number;
      readonly message: string;
      readonly data?: unknown;
    };

export type Classify = (headers: McpHeaders, body: JsonObject) => Classified;

/** Parameter that the `Mcp-Name` header mirrors. */
const NAME_SOURCE: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};
const STREAMED = 'subscriptions/listen';

export function toParsedRequest(headers: McpHeaders, body: Body, classify: Classify): ParsedRequest {
  const id = idOf(body.value);
  if (!body.ok) return { ok: false, id, fault: body.fault };
  if (headers.contradictory !== undefined) {
    const fault = malformedRequest(`The ${headers.contradictory} header was sent with different values`, {
      rpcCode: RpcCode.HeaderMismatch,
    });
    return { ok: false, id, fault };
  }
  const given = dropNullMembers(body.value);
  const classified = classify(headers, given);
  if (classified.kind === 'rejected') {
    const { status, code, message, data } = classified;
    return {
      ok: false,
      id,
      fault: malformedRequest(message, { status, rpcCode: code, data: detailOf(data) }),
    };
  }
  const { method, params } = given as { method: string; params?: JsonObject };
  const { form, events } = acceptedForms(headers.accept);
  const fault = classified.isRequest
    ? (requestFault(classified.era, method, params ?? {}, headers) ??
      formFault(method === STREAMED ? events : form !== undefined))
    : notificationFault(method);
  if (fault) return { ok: false, id, fault };
  return {
    ok: true,
    id,
    message: {
      id,
      method,
      params: params ?? {},
      era: classified.era,
      revision: classified.revision ?? DEFAULT_NEGOTIATED_PROTOCOL_VERSION,
      form: form ?? 'either',
      body: given,
    },
  };
}

/** JSON-RPC id of the answer. Null without a valid id. */
export function idOf(body: unknown): RequestId | null {
  if (!isJsonObject(body)) return null;
  const { id, method } = body as { id?: unknown; method?: unknown };
  if (typeof method !== 'string') return null;
  return typeof id === 'string' || (typeof id === 'number' && Number.isFinite(id)) ? id : null;
}

function requestFault(era: Message['era'], method: string, params: JsonObject, headers: McpHeaders) {
  if (era === 'legacy') return undefined;
  const problem = headerProblem(method, params, headers);
  return problem ? malformedRequest(problem, { rpcCode: RpcCode.HeaderMismatch }) : undefined;
}

function formFault(isAcceptable: boolean) {
  return isAcceptable
    ? undefined
    : malformedRequest('Accept must allow application/json or text/event-stream', {
        status: 406,
        rpcCode: RpcCode.NotAcceptable,
      });
}

/** A request without id would be decided and recorded, but never run. */
function notificationFault(method: string) {
  return method.startsWith('notifications/') ? undefined : malformedRequest('A request needs an id');
}

function headerProblem(method: string, params: JsonObject, headers: McpHeaders): string | undefined {
  if (headers.protocolVersion === undefined) return 'The MCP-Protocol-Version header is missing';
  if (headers.method === undefined) return 'The Mcp-Method header is missing';
  if (headers.method !== method) return 'The Mcp-Method header differs from the method of the body';
  const named = nameOf(method, params);
  if (named === undefined) return undefined;
  if (headers.name === undefined) return 'The Mcp-Name header is missing';
  const isNamed = [headers.name, withoutRepeats(headers.name)].some((name) => decodeName(name) === named);
  return isNamed ? undefined : 'The Mcp-Name header differs from the name in the body';
}

function nameOf(method: string, params: JsonObject): string | undefined {
  const source = Object.hasOwn(NAME_SOURCE, method) ? NAME_SOURCE[method] : undefined;
  const named = source === undefined ? undefined : params[source];
  return typeof named === 'string' ? named : undefined;
}

/** Headers that the client should have sent, derived from the message. */
export function headersFor({ era, method, params, revision }: Message): Record<string, string> {
  const named = era === 'modern' ? nameOf(method, params) : undefined;
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(revision !== undefined && { 'mcp-protocol-version': revision }),
    ...(era === 'modern' && { 'mcp-method': method }),
    ...(named !== undefined && { 'mcp-name': `=?base64?${Buffer.from(named).toString('base64')}?=` }),
  };
}

/** Header value, decoded from `=?base64?…?=`. Undefined for invalid base64 or UTF-8. */
function decodeName(header: string): string | undefined {
  const encoded = /^=\?base64\?(.*)\?=$/s.exec(header)?.[1];
  if (encoded === undefined) return header;
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function detailOf(data: unknown): JsonObject {
  return isJsonObject(data) ? (data as JsonObject) : {};
}
