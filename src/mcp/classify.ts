/** Classifies a message by the rules of the SDK: its era, or the protocol error. Pure. */
import {
  classifyInboundRequest,
  PROTOCOL_VERSION_META_KEY,
  specTypeSchemas,
  SUPPORTED_PROTOCOL_VERSIONS,
  UnsupportedProtocolVersionError,
} from '@modelcontextprotocol/server';
import type { Message } from '../core/request-context.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';
import type { Classified, McpHeaders } from './parse-request.js';
import { detectProtocolEra } from './fast-path/protocol-era.js';
import { RpcCode } from '../core/rpc-code.js';
import { MODERN_REVISION } from '../core/revisions.js';

/** Revisions with the per-request envelope. `initialize` negotiates older ones. */
const MODERN_VERSIONS = [MODERN_REVISION];

const SHARED_METHODS = [
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'completion/complete',
];
const METHODS: Readonly<Record<Message['era'], ReadonlySet<string>>> = {
  modern: new Set([...SHARED_METHODS, 'server/discover', 'subscriptions/listen']),
  legacy: new Set([
    ...SHARED_METHODS,
    'initialize',
    'ping',
    'logging/setLevel',
    'resources/subscribe',
    'resources/unsubscribe',
  ]),
};

/** Type of the specification for each request with parameters. */
const REQUEST_TYPES = {
  initialize: 'InitializeRequest',
  'logging/setLevel': 'SetLevelRequest',
  'tools/list': 'ListToolsRequest',
  'tools/call': 'CallToolRequest',
  'prompts/list': 'ListPromptsRequest',
  'prompts/get': 'GetPromptRequest',
  'resources/list': 'ListResourcesRequest',
  'resources/templates/list': 'ListResourceTemplatesRequest',
  'resources/read': 'ReadResourceRequest',
  'resources/subscribe': 'SubscribeRequest',
  'resources/unsubscribe': 'UnsubscribeRequest',
  'completion/complete': 'CompleteRequest',
  'subscriptions/listen': 'SubscriptionsListenRequest',
} as const satisfies Record<string, keyof typeof specTypeSchemas>;

type Served = Extract<Classified, { kind: 'served' }>;

export function classify(headers: McpHeaders, body: JsonObject): Classified {
  const era = detectProtocolEra(headers, body);
  return era
    ? { kind: 'served', era, isRequest: true, revision: headers.protocolVersion }
    : classifyBySdk(headers, body);
}

export function classifyBySdk(sent: McpHeaders, body: JsonObject): Classified {
  const headers = withoutUnknownRevision(sent, body);
  const outcome = classifyInboundRequest({
    httpMethod: 'POST',
    body,
    ...(headers.protocolVersion !== undefined && { protocolVersionHeader: headers.protocolVersion }),
    ...(headers.method !== undefined && { mcpMethodHeader: headers.method }),
    ...(headers.name !== undefined && { mcpNameHeader: headers.name }),
  });
  switch (outcome.kind) {
    case 'reject':
      return rejected(outcome.httpStatus, outcome.code, outcome.message, outcome.data);
    case 'modern': {
      const isRequest = outcome.messageKind === 'request';
      const { revision } = outcome.classification;
      return unsupportedRevision(revision) ?? served({ era: 'modern', isRequest, revision }, body);
    }
    case 'legacy':
      if (outcome.reason === 'response') {
        return rejected(400, RpcCode.InvalidRequest, 'Unexpected JSON-RPC response: no request is pending');
      }
      return (
        legacyProblem(headers) ??
        served(
          {
            era: 'legacy',
            isRequest: outcome.reason !== 'notification',
            revision: headers.protocolVersion,
          },
          body,
        )
      );
  }
}

/**
 * `initialize` negotiates the revision in its body before any header applies (MCP 2025-11-25, lifecycle), so an
 * unknown revision in the header is ignored. A message with an envelope of 2026-07-28 must match its header.
 */
function withoutUnknownRevision(headers: McpHeaders, { method, params }: JsonObject): McpHeaders {
  const { protocolVersion } = headers;
  if (method !== 'initialize' || protocolVersion === undefined) return headers;
  const { _meta } = (params ?? {}) as { _meta?: unknown };
  const hasEnvelope = isJsonObject(_meta) && PROTOCOL_VERSION_META_KEY in _meta;
  const isKnown = [...SUPPORTED_PROTOCOL_VERSIONS, ...MODERN_VERSIONS].includes(protocolVersion);
  const isOne = !protocolVersion.includes(',');
  return isKnown || hasEnvelope || !isOne ? headers : { ...headers, protocolVersion: undefined };
}

function unsupportedRevision(revision: string | undefined): Classified | undefined {
  if (revision !== undefined && MODERN_VERSIONS.includes(revision)) return undefined;
  const error = new UnsupportedProtocolVersionError({
    supported: MODERN_VERSIONS,
    requested: revision ?? 'unknown',
  });
  return rejected(400, error.code, error.message, error.data);
}

function legacyProblem({ protocolVersion }: McpHeaders): Classified | undefined {
  if (protocolVersion !== undefined && !SUPPORTED_PROTOCOL_VERSIONS.includes(protocolVersion)) {
    return rejected(400, RpcCode.InvalidRequest, 'The MCP-Protocol-Version is not supported');
  }
  return undefined;
}

/** Parameters are checked before the decision: an allowed call must not fail later in the SDK without running. */
function served(message: Omit<Served, 'kind'>, body: JsonObject): Classified {
  const { era, isRequest } = message;
  const method = body.method as string;
  if (isRequest && !METHODS[era].has(method))
    return rejected(404, RpcCode.MethodNotFound, 'Method not found');
  if (isRequest && Object.hasOwn(REQUEST_TYPES, method)) {
    const type = REQUEST_TYPES[method as keyof typeof REQUEST_TYPES];
    const checked = specTypeSchemas[type]['~standard'].validate(body);
    if (checked instanceof Promise || checked.issues || !hasTextState(body)) {
      return rejected(400, RpcCode.InvalidParams, `The parameters of ${method} have the wrong type`);
    }
  }
  return { kind: 'served', ...message };
}

function hasTextState({ params }: JsonObject): boolean {
  const { requestState } = (params ?? {}) as JsonObject;
  return requestState === undefined || typeof requestState === 'string';
}

function rejected(status: number, code: number, message: string, data?: unknown): Classified {
  return { kind: 'rejected', status, code, message, data };
}
