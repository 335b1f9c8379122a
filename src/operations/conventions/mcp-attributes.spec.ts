import { NO_REQUIREMENTS, type Decision, type Target } from '../../core/decision.js';
import { malformedRequest } from '../../core/app-error.js';
import type { Message, Outcome, RequestContext } from '../../core/request-context.js';
import { errorType, mcpAttributes, operationName } from './mcp-attributes.js';

const ALLOW: Decision = { effect: 'allow', rule: 'Echo.run', required: NO_REQUIREMENTS };
const UNKNOWN: Decision = {
  effect: 'deny',
  reason: 'tool_unknown',
  rule: 'registry',
  required: NO_REQUIREMENTS,
  missing: NO_REQUIREMENTS,
};
const ECHO: Target = { kind: 'tool', name: 'echo' };

function context(message: Partial<Message> = {}, more: Partial<RequestContext> = {}): RequestContext {
  const whole: Message = {
    id: 1,
    method: 'tools/call',
    params: {},
    era: 'modern',
    revision: '2026-07-28',
    body: {},
    ...message,
  };
  return {
    requestId: 'request-1',
    decisionId: 'decision-1',
    trace: undefined,
    ip: '192.0.2.1',
    client: null,
    parsed: { ok: true, id: 1, message: whole },
    audited: true,
    ...more,
  };
}

const callOf = (target: Target): Partial<RequestContext> => ({
  operation: { kind: 'call', target, arguments: {} },
  decision: ALLOW,
});
const UNREADABLE = context({}, { parsed: { ok: false, id: null, fault: malformedRequest('No') } });
const ADMIN = context({ method: 'list', revision: undefined }, callOf({ kind: 'tool', name: 'admin:list' }));

describe('mcpAttributes', () => {
  const method = { 'mcp.method.name': 'tools/call', 'mcp.protocol.version': '2026-07-28' };
  it.each<[string, RequestContext, object | undefined]>([
    ['names a registered tool', context({}, callOf(ECHO)), { ...method, 'gen_ai.tool.name': 'echo' }],
    [
      'names a registered prompt',
      context({ method: 'prompts/get' }, callOf({ kind: 'prompt', name: 'greet' })),
      { ...method, 'mcp.method.name': 'prompts/get', 'gen_ai.prompt.name': 'greet' },
    ],
    [
      'names no resource',
      context({ method: 'resources/read' }, callOf({ kind: 'resource', name: 'handbook' })),
      { ...method, 'mcp.method.name': 'resources/read' },
    ],
    ['names no tool that is unknown', context({}, { ...callOf(ECHO), decision: UNKNOWN }), method],
    [
      'names no tool that was refused as unknown',
      context({}, { ...callOf(ECHO), refused: 'tool_unknown' }),
      method,
    ],
    ['names no tool before the decision', context({}, { ...callOf(ECHO), decision: undefined }), method],
    [
      'replaces a method that this server does not know',
      context({ method: 'made/up' }),
      { ...method, 'mcp.method.name': '_OTHER' },
    ],
    [
      'leaves out a revision that this server does not know',
      context({ revision: '2999-01-01' }),
      { 'mcp.method.name': 'tools/call' },
    ],
    ['is undefined for an unreadable request', UNREADABLE, undefined],
    ['is undefined for a request of an administrator', ADMIN, undefined],
  ])('%s', (_title, requestContext, expected) => expect(mcpAttributes(requestContext)).toEqual(expected));
});

describe('errorType', () => {
  const ended = (status: Outcome['status']): Outcome => ({ status, durationMs: 1 });
  it.each<[string, Partial<RequestContext>, number, Outcome | undefined, string | undefined]>([
    ['is the reason of a denial', { refused: 'role_missing' }, 403, undefined, 'role_missing'],
    ['is the reason even after an outcome', { refused: 'token_revoked' }, 200, ended('ok'), 'token_revoked'],
    ['is tool_error for a result with isError', {}, 200, ended('tool_error'), 'tool_error'],
    ['is failed for a call that failed', {}, 200, ended('failed'), 'failed'],
    ['is cancelled for a call that was cancelled', {}, 200, ended('cancelled'), 'cancelled'],
    ['is the status of another error', {}, 406, undefined, '406'],
    ['is undefined for a call that succeeded', {}, 200, ended('ok'), undefined],
    ['is undefined for a success without a call', {}, 202, undefined, undefined],
  ])('%s', (_title, more, status, outcome, expected) =>
    expect(errorType(context({}, more), status, outcome)).toBe(expected),
  );
});

describe('operationName', () => {
  it.each<[string, RequestContext, string | undefined]>([
    ['the method of an MCP message', context(), 'tools/call'],
    ['_OTHER for an unknown method', context({ method: 'made/up' }), '_OTHER'],
    ['admin/list for a list of revocations', ADMIN, 'admin/list'],
    ['signals for a delivery', context({ method: 'signals', revision: undefined }), 'signals'],
    ['_OTHER for another route', context({ method: 'PATCH', revision: undefined }), '_OTHER'],
    ['undefined for an unreadable request', UNREADABLE, undefined],
  ])('is %s', (_title, requestContext, expected) => expect(operationName(requestContext)).toBe(expected));
});
