import type { Assurance, Deny } from '../core/decision.js';
import type { Reason } from '../core/reasons.js';
import { denialError } from './denial.js';

type Asked = Parameters<typeof denialError>[1];

const TOOL: Asked = { kind: 'call', target: { kind: 'tool', name: 'secret_tool' }, arguments: {} };
const RESOURCE: Asked = {
  kind: 'call',
  target: { kind: 'resource', name: 'secret_resource' },
  arguments: { uri: 'docs://asked' },
};

function denial(reason: Reason): Deny {
  const requirements = { scopes: ['a', 'b'], roles: [['admin', 'owner']], assurance: null };
  return {
    effect: 'deny',
    reason,
    rule: 'Tools.tool',
    required: requirements,
    missing: { ...requirements, scopes: ['b'] },
  };
}

const shown = ({ code, message, status, rpcCode, data, challenge }: ReturnType<typeof denialError>) =>
  JSON.stringify({ code, message, status, rpcCode, data, challenge });

it.each(['explain', 'conceal'] as const)(
  '%s: an unlisted target has the same error as an unknown one',
  (detail) => {
    const unknown = denialError(denial('tool_unknown'), TOOL, 'modern', detail);
    const notAllowed = denialError(denial('tool_not_allowed'), TOOL, 'modern', detail);
    expect(shown(notAllowed)).toBe(shown(unknown));
    expect(shown(unknown)).not.toContain('secret');
    expect([unknown.recordedReason, notAllowed.recordedReason]).toEqual(['tool_unknown', 'tool_not_allowed']);
  },
);

it('conceal: a denial by role has the same error as an unknown target', () => {
  const concealed = denialError(denial('role_missing'), TOOL, 'modern', 'conceal');
  expect(shown(concealed)).toBe(shown(denialError(denial('tool_unknown'), TOOL, 'modern', 'conceal')));
  expect(concealed.recordedReason).toBe('role_missing');
});

it('explain: a denial by role names the role without a challenge', () => {
  const error = denialError(denial('role_missing'), TOOL, 'modern', 'explain');
  expect(error).toMatchObject({ status: 403, code: 'role_missing', rpcCode: 403, challenge: undefined });
  expect(error.message).toBe('This operation requires the role admin or owner');
});

it.each(['explain', 'conceal'] as const)(
  '%s: a missing scope has a challenge with every scope of the operation',
  (detail) => {
    const error = denialError(denial('scope_missing'), TOOL, 'modern', detail);
    expect(error).toMatchObject({
      status: 403,
      challenge: { error: 'insufficient_scope', scope: ['a', 'b'] },
    });
    expect(error.data).toEqual({ required_scopes: ['a', 'b'], missing_scopes: ['b'] });
  },
);

it('a missing user is 403 without a challenge', () => {
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
] as const)('%s: %j has the code %d for an unknown target', (era, target, code) => {
  const data = target === RESOURCE ? { uri: 'docs://asked' } : {};
  expect(denialError(denial('tool_unknown'), target, era, 'explain')).toMatchObject({
    data,
    status: 404,
    rpcCode: code,
  });
});

describe('denialError for insufficient assurance', () => {
  function insufficient(asked: Assurance, lacked: Assurance, scopes = ['a', 'b']): Deny {
    const required = { scopes, roles: [], assurance: asked };
    const missing = { scopes: [], roles: [], assurance: lacked };
    return { effect: 'deny', reason: 'assurance_insufficient', rule: 'Tools.tool', required, missing };
  }
  const ACR = { acr: ['gold', 'platinum'], maxAgeSeconds: null };
  const AGE = { acr: [], maxAgeSeconds: 300 };
  const BOTH = { acr: ['gold'], maxAgeSeconds: 300 };
  it.each([
    [
      'a context',
      insufficient(ACR, ACR),
      'This operation requires an authentication of level gold or platinum',
      { required_acr: ['gold', 'platinum'] },
      { scope: ['a', 'b'], acrValues: ['gold', 'platinum'] },
    ],
    [
      'an age',
      insufficient(AGE, AGE),
      'This operation requires an authentication not older than 300 s',
      { max_age: 300 },
      { scope: ['a', 'b'], maxAge: 300 },
    ],
    [
      'both, also where only one is lacking: a new token must meet the other still',
      insufficient(BOTH, AGE),
      'This operation requires an authentication of level gold, not older than 300 s',
      { required_acr: ['gold'], max_age: 300 },
      { scope: ['a', 'b'], acrValues: ['gold'], maxAge: 300 },
    ],
    [
      'a context of an operation without scopes',
      insufficient(ACR, ACR, []),
      'This operation requires an authentication of level gold or platinum',
      { required_acr: ['gold', 'platinum'] },
      { scope: [], acrValues: ['gold', 'platinum'] },
    ],
  ])('%s', (_name, deny, message, data, challenge) => {
    for (const detail of ['explain', 'conceal'] as const) {
      const error = denialError(deny, TOOL, 'modern', detail);
      expect(error).toMatchObject({ code: 'assurance_insufficient', status: 401, rpcCode: 401, message });
      expect(error.data).toStrictEqual(data);
      expect(error.challenge).toStrictEqual({
        error: 'insufficient_user_authentication',
        errorDescription: 'The authentication of the user is too weak or too old for this operation',
        ...challenge,
      });
    }
  });
});
