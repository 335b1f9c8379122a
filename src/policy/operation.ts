/** Maps a message to the requested operation. Pure. */
import { malformedRequest } from '../core/app-error.js';
import type { ListKind, Message, Operation } from '../core/request-context.js';
import type { Target } from '../core/decision.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';
import type { TargetRegistry, ProtectedTarget } from './access-rule.js';
import { RpcCode } from '../core/rpc-code.js';

const LISTS: ReadonlyMap<string, ListKind> = new Map([
  ['tools/list', 'tools'],
  ['prompts/list', 'prompts'],
  ['resources/list', 'resources'],
  ['resources/templates/list', 'resourceTemplates'],
]);

/** Requested operation, with the rule of a known target. */
export type AskedOperation =
  | (Extract<Operation, { kind: 'call' }> & {
      readonly target: Target | ProtectedTarget;
      /** Arguments for conditions; undefined for an operation without arguments. */
      readonly conditionArguments: JsonObject | undefined;
    })
  | Exclude<Operation, { kind: 'call' }>;

/** @throws AppError `request_malformed` (-32602) if a name is not a string. */
export function operationOf(message: Message, catalogue: TargetRegistry): AskedOperation {
  const { method, params } = message;
  const list = LISTS.get(method);
  if (list) return { kind: 'list', of: list };
  switch (method) {
    case 'tools/call':
    case 'prompts/get': {
      const kind = method === 'tools/call' ? 'tool' : 'prompt';
      const args = requireArguments(params.arguments);
      return call(named(catalogue, kind, params.name), args, args ?? {});
    }
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe': {
      const args = { uri: params.uri };
      const target = resource(catalogue, params.uri);
      const variables = 'variablesOf' in target ? target.variablesOf?.(params.uri as string) : undefined;
      return call(target, args, variables ?? args);
    }
    case 'completion/complete':
      // The completed argument is not among the arguments of a later prompt request.
      return call(reference(catalogue, params.ref), params.argument, undefined);
    default:
      return { kind: 'protocol' };
  }
}

function call(
  target: Target | ProtectedTarget,
  args: unknown,
  conditionArguments: JsonObject | undefined,
): AskedOperation {
  return { kind: 'call', target, arguments: args, conditionArguments };
}

function named(catalogue: TargetRegistry, kind: 'tool' | 'prompt', name: unknown): Target | ProtectedTarget {
  const asked = requireText(name, 'params.name');
  return catalogue.find(kind, asked) ?? { kind, name: asked };
}

function resource(catalogue: TargetRegistry, uri: unknown): Target | ProtectedTarget {
  const asked = requireText(uri, 'params.uri');
  return catalogue.findResourceByUri(asked) ?? { kind: 'resource', name: asked };
}

function reference(catalogue: TargetRegistry, ref: unknown): Target | ProtectedTarget {
  const asked: JsonObject = isJsonObject(ref) ? ref : {};
  if (asked.type === 'ref/prompt') return named(catalogue, 'prompt', asked.name);
  if (asked.type === 'ref/resource') return resource(catalogue, asked.uri);
  throw malformedRequest('params.ref must be a ref/prompt or a ref/resource', {
    rpcCode: RpcCode.InvalidParams,
  });
}

function requireArguments(value: unknown): JsonObject | undefined {
  if (value !== undefined && !isJsonObject(value)) {
    throw malformedRequest('params.arguments must be an object', { rpcCode: RpcCode.InvalidParams });
  }
  return value as JsonObject | undefined;
}

function requireText(value: unknown, name: string): string {
  if (typeof value !== 'string')
    throw malformedRequest(`${name} must be a string`, { rpcCode: RpcCode.InvalidParams });
  return value;
}
