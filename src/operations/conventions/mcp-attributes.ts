/**
 * Attributes of an MCP operation by OpenTelemetry's semantic conventions for MCP. Values come from closed lists or
 * are names of registered targets: callers cannot create values. Pure.
 */
import type { Target } from '../../core/decision.js';
import { REVISIONS } from '../../core/mcp-types.js';
import type { Outcome, RequestContext } from '../../core/request-context.js';

/** Known methods; others are `_OTHER`. */
const METHODS = new Set([
  'initialize',
  'notifications/initialized',
  'notifications/cancelled',
  'ping',
  'server/discover',
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'subscriptions/listen',
  'logging/setLevel',
]);
const OTHER_METHOD = '_OTHER';

/** Operations of administration and signals, which are not MCP messages. */
const OTHER_OPERATIONS: Readonly<Record<string, string>> = {
  list: 'admin/list',
  revoke: 'admin/revoke',
  withdraw: 'admin/withdraw',
  signals: 'signals',
};

export interface McpAttributes {
  readonly 'mcp.method.name': string;
  readonly 'mcp.protocol.version'?: string;
  readonly 'gen_ai.tool.name'?: string;
  readonly 'gen_ai.prompt.name'?: string;
}

/** @returns undefined for a request without an MCP message: an unreadable one, or one of another route. */
export function mcpAttributes(requestContext: RequestContext): McpAttributes | undefined {
  const { parsed } = requestContext;
  if (!parsed.ok || parsed.message.revision === undefined) return undefined;
  const { method, revision } = parsed.message;
  const target = registeredTarget(requestContext);
  return {
    'mcp.method.name': METHODS.has(method) ? method : OTHER_METHOD,
    ...(REVISIONS.has(revision) && { 'mcp.protocol.version': revision }),
    ...(target?.kind === 'tool' && { 'gen_ai.tool.name': target.name }),
    ...(target?.kind === 'prompt' && { 'gen_ai.prompt.name': target.name }),
  };
}

/**
 * `error.type`: the reason of a denial, the end of a call (`tool_error`, `failed`, `cancelled`), or the HTTP status
 * of another error. Undefined for a success.
 */
export function errorType(
  { refused }: RequestContext,
  status: number,
  outcome: Outcome | undefined,
): string | undefined {
  if (refused !== undefined) return refused;
  if (outcome && outcome.status !== 'ok') return outcome.status;
  return status >= 400 ? String(status) : undefined;
}

/** Name per kind of request: the MCP method, `admin/…`, `signals`. Undefined for an unreadable request. */
export function operationName(requestContext: RequestContext): string | undefined {
  const { parsed } = requestContext;
  if (!parsed.ok) return undefined;
  const attributes = mcpAttributes(requestContext);
  if (attributes) return attributes['mcp.method.name'];
  const { method } = parsed.message;
  return Object.hasOwn(OTHER_OPERATIONS, method) ? OTHER_OPERATIONS[method] : OTHER_METHOD;
}

/** Registered target of a call. Undefined for an unregistered name, which the caller chose. */
function registeredTarget({ operation, decision, refused }: RequestContext): Target | undefined {
  if (operation?.kind !== 'call' || !decision || refused === 'tool_unknown') return undefined;
  return decision.effect === 'deny' && decision.reason === 'tool_unknown' ? undefined : operation.target;
}
