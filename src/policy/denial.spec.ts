import type { Deny } from '../common/decision.js';
import type { Reason } from '../common/reasons.js';
import { denialError } from './denial.js';

type Asked = Parameters<typeof denialError>[1];

const TOOL: Asked = { kind: 'call', target: { kind: 'tool', name: 'secret_tool' }, arguments: {} };
const RESOURCE: Asked = {
  kind: 'call',
  target: { kind: 'resource', name: 'secret_resource' },
  arguments: { uri: 'docs://asked' },
};

function denial(reason: Reason): Deny {
  const demands = { scopes: ['a', 'b'], roles: [['admin', 'owner']] };
  return {
    effect: 'deny',
    reason,
    rule: 'Tools.tool',
    required: demands,
    missing: { ...demands, scopes: ['b'] },
  };
}

const shown = ({ code, message, status, rpcCode, data, challenge }: ReturnType<typeof denialError>) =>
  JSON.stringify({ code, message, status, rpcCode, data, challenge });

it.each(['explain', 'conceal'] as const)(
  '%s: not on the list is to the letter what does not exist',
  (detail) => {
    const unknown = denialError(denial('tool_unknown'), TOOL, 'modern', detail);
    const notAllowed = denialError(denial('tool_not_allowed'), TOOL, 'modern', detail);
    expect(shown(notAllowed)).toBe(shown(unknown));
    expect(shown(unknown)).not.toContain('secret');
    expect([unknown.recordedReason, notAllowed.recordedReason]).toEqual(['tool_unknown', 'tool_not_allowed']);
  },
);

it('conceal: what a role denies is to the letter what does not exist', () => {
  const concealed = denialError(denial('role_missing'), TOOL, 'modern', 'conceal');
  expect(shown(concealed)).toBe(shown(denialError(denial('tool_unknown'), TOOL, 'modern', 'conceal')));
  expect(concealed.recordedReason).toBe('role_missing');
});

it('explain: a role is named, and there is no challenge, since no scope would cure it', () => {
  const error = denialError(denial('role_missing'), TOOL, 'modern', 'explain');
  expect(error).toMatchObject({ status: 403, code: 'role_missing', rpcCode: 403, challenge: undefined });
  expect(error.message).toBe('This needs the role admin or owner');
});

it.each(['explain', 'conceal'] as const)(
  '%s: a missing scope is challenged with every scope of the operation',
  (detail) => {
    const error = denialError(denial('scope_missing'), TOOL, 'modern', detail);
    expect(error).toMatchObject({
      status: 403,
      challenge: { error: 'insufficient_scope', scope: ['a', 'b'] },
    });
    expect(error.data).toEqual({ required_scopes: ['a', 'b'], missing_scopes: ['b'] });
  },
);

it('a person who is missing is 403 without a challenge', () => {
  expect(denialError(denial('human_required'), TOOL, 'modern', 'explain')).toMatchObject({
    status: 403,
    challenge: undefined,
  });
});

it.each([
  ['modern', TOOL, -32602],
  ['legacy', TOOL, -32602],
  ['modern', RESOURCE, -32602],
  ['legacy', RESOURCE, -32002],
] as const)('%s: %j has the code %d where it does not exist', (era, target, code) => {
  const data = target === RESOURCE ? { uri: 'docs://asked' } : {};
  expect(denialError(denial('tool_unknown'), target, era, 'explain')).toMatchObject({
    data,
    status: 404,
    rpcCode: code,
  });
});
