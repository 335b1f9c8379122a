/** What a message asks the gate for. Pure. */
import { malformedRequest } from '../common/app-error.js';
import type { ListKind, Message, Operation } from '../common/exchange.js';
import type { Target } from '../common/decision.js';
import type { AccessCatalogue, ProtectedTarget } from './access-rule.js';

const LISTS: ReadonlyMap<string, ListKind> = new Map([
  ['tools/list', 'tools'],
  ['prompts/list', 'prompts'],
  ['resources/list', 'resources'],
  ['resources/templates/list', 'resourceTemplates'],
]);

/** What was asked for, with its rule where it exists. */
export type AskedOperation =
  | (Extract<Operation, { kind: 'call' }> & { readonly target: Target | ProtectedTarget })
  | Exclude<Operation, { kind: 'call' }>;

/** @throws AppError `request_malformed` (-32602) where a message that names something names it with no string. */
export function operationOf(message: Message, catalogue: AccessCatalogue): AskedOperation {
  const { method, params } = message;
  const list = LISTS.get(method);
  if (list) return { kind: 'list', of: list };
  switch (method) {
    case 'tools/call':
      return call(named(catalogue, 'tool', params.name), requireArguments(params.arguments));
    case 'prompts/get':
      return call(named(catalogue, 'prompt', params.name), requireArguments(params.arguments));
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return call(resource(catalogue, params.uri), { uri: params.uri });
    case 'completion/complete':
      return call(reference(catalogue, params.ref), params.argument);
    default:
      return { kind: 'protocol' };
  }
}

function call(target: Target | ProtectedTarget, args: unknown): AskedOperation {
  return { kind: 'call', target, arguments: args };
}

function named(catalogue: AccessCatalogue, kind: 'tool' | 'prompt', name: unknown): Target | ProtectedTarget {
  const asked = requireText(name, 'params.name');
  return catalogue.find(kind, asked) ?? { kind, name: asked };
}

function resource(catalogue: AccessCatalogue, uri: unknown): Target | ProtectedTarget {
  const asked = requireText(uri, 'params.uri');
  return catalogue.findResourceByUri(asked) ?? { kind: 'resource', name: asked };
}

function reference(catalogue: AccessCatalogue, ref: unknown): Target | ProtectedTarget {
  const asked = (typeof ref === 'object' && ref !== null ? ref : {}) as Record<string, unknown>;
  if (asked.type === 'ref/prompt') return named(catalogue, 'prompt', asked.name);
  if (asked.type === 'ref/resource') return resource(catalogue, asked.uri);
  throw malformedRequest('params.ref must be a ref/prompt or a ref/resource', { rpcCode: -32602 });
}

function requireArguments(value: unknown): unknown {
  if (value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value))) {
    throw malformedRequest('params.arguments must be an object', { rpcCode: -32602 });
  }
  return value;
}

function requireText(value: unknown, name: string): string {
  if (typeof value !== 'string') throw malformedRequest(`${name} must be a string`, { rpcCode: -32602 });
  return value;
}
