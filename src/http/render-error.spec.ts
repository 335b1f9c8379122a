import { AppError, malformedRequest, unexpectedError } from '../core/app-error.js';
import type { RequestContext } from '../core/request-context.js';
import { renderError, type ChallengeFacts } from './render-error.js';

const METADATA = 'https://gate/.well-known/oauth-protected-resource/mcp';
const FACTS: ChallengeFacts = {
  resourceMetadata: METADATA,
  challengeScopes: ['read', 'list'],
  scopePrefix: '',
  schemes: ['Bearer'],
  algorithms: ['ES256'],
};
const ALWAYS = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' };

function requestContext(id: string | number | null): RequestContext {
  return {
    requestId: 'request-1',
    decisionId: 'decision-1',
    trace: undefined,
    ip: '192.0.2.1',
    client: null,
    parsed: { ok: false, id, fault: malformedRequest('odd') },
    audited: false,
  };
}

it.each<[string, AppError, Record<string, string>]>([
  [
    'no token: what to ask for, and no error',
    new AppError('token_missing', 'm', { status: 401, challenge: {} }),
    { 'www-authenticate': `Bearer scope="read list", resource_metadata="${METADATA}"` },
  ],
  [
    'a bad token',
    new AppError('token_expired', 'm', { status: 401, challenge: { error: 'invalid_token' } }),
    {
      'www-authenticate': `Bearer error="invalid_token", scope="read list", resource_metadata="${METADATA}"`,
    },
  ],
  [
    'a missing scope: those of the operation',
    new AppError('scope_missing', 'm', {
      status: 403,
      challenge: { error: 'insufficient_scope', scope: ['write'] },
    }),
    {
      'www-authenticate': `Bearer error="insufficient_scope", scope="write", resource_metadata="${METADATA}"`,
    },
  ],
  [
    'a malformed header: no scope would cure it',
    malformedRequest('m', { challenge: { error: 'invalid_request' } }),
    { 'www-authenticate': `Bearer error="invalid_request", resource_metadata="${METADATA}"` },
  ],
  ['a role: no challenge', new AppError('role_missing', 'm', { status: 403 }), {}],
  [
    'too many requests',
    new AppError('rate_limited', 'm', { status: 429, retryAfterSeconds: 0 }),
    { 'retry-after': '0' },
  ],
  [
    'a method',
    new AppError('method_not_allowed', 'm', { status: 405, headers: { allow: 'POST' } }),
    { allow: 'POST' },
  ],
])('renders the headers of %s', (_name, error, headers) => {
  expect(renderError(error, requestContext(1), FACTS).headers).toStrictEqual({ ...ALWAYS, ...headers });
});

const MISSING = new AppError('token_missing', 'm', { status: 401, challenge: {} });
const UNBOUND = new AppError('token_binding', 'm', {
  status: 401,
  challenge: { scheme: 'DPoP', error: 'invalid_token' },
});
const SCOPE = new AppError('scope_missing', 'm', {
  status: 403,
  challenge: { error: 'insufficient_scope', scope: ['write'] },
});
const AT = `resource_metadata="${METADATA}"`;

it.each<[string, AppError, Partial<RequestContext>, Partial<ChallengeFacts>, string]>([
  [
    'both schemes where both may do',
    MISSING,
    {},
    { schemes: ['Bearer', 'DPoP'] },
    `Bearer scope="read list", ${AT}, DPoP scope="read list", algs="ES256", ${AT}`,
  ],
  [
    'DPoP alone where it must be',
    MISSING,
    {},
    { schemes: ['DPoP'] },
    `DPoP scope="read list", algs="ES256", ${AT}`,
  ],
  [
    'the scheme of the request',
    SCOPE,
    { scheme: 'DPoP' },
    { schemes: ['Bearer', 'DPoP'] },
    `DPoP error="insufficient_scope", scope="write", algs="ES256", ${AT}`,
  ],
  [
    'the scheme that would cure it',
    UNBOUND,
    { scheme: 'Bearer' },
    {},
    `DPoP error="invalid_token", scope="read list", algs="ES256", ${AT}`,
  ],
  [
    'scopes as the provider spells them',
    SCOPE,
    { scheme: 'Bearer' },
    { scopePrefix: 'api://gate/' },
    `Bearer error="insufficient_scope", scope="api://gate/write", ${AT}`,
  ],
])('renders the challenge of %s', (_name, error, of, facts, expected) => {
  const { headers } = renderError(error, { ...requestContext(1), ...of }, { ...FACTS, ...facts });
  expect(headers['www-authenticate']).toBe(expected);
});

it.each([0, 7, '', 'a', null])('returns the request id %j', (id) => {
  const error = new AppError('role_missing', 'Not you', { status: 403, data: { missing_roles: [['a']] } });
  expect(renderError(error, requestContext(id), FACTS)).toMatchObject({
    status: 403,
    body: {
      jsonrpc: '2.0',
      id,
      error: {
        code: 403,
        message: 'Not you',
        data: { missing_roles: [['a']], reason: 'role_missing', decision_id: 'decision-1' },
      },
    },
  });
});

it('does not let an error replace its reason or decision', () => {
  const error = malformedRequest('m', { data: { reason: 'none', decision_id: 'none' } });
  expect(renderError(error, requestContext(1), FACTS).body).toMatchObject({
    error: { code: -32600, data: { reason: 'request_malformed', decision_id: 'decision-1' } },
  });
});

it.each([
  [1, '1 second'],
  [30, '30 seconds'],
])('states a wait of %i in the message and in data.retry_after', (seconds, words) => {
  const error = new AppError('rate_limited', 'Too many requests', {
    status: 429,
    retryAfterSeconds: seconds,
    data: { retry_after: 'forged' },
  });
  expect(renderError(error, requestContext(1), FACTS).body).toMatchObject({
    error: { message: `Too many requests: retry in ${words}`, data: { retry_after: seconds } },
  });
  expect(renderError(error, undefined, FACTS).body).toEqual({
    error: { code: 'rate_limited', message: `Too many requests: retry in ${words}`, retry_after: seconds },
  });
});

it.each<[string, AppError, RequestContext | undefined]>([
  ['another route', new AppError('identity_unavailable', 'Later', { status: 503 }), undefined],
  [
    'a method that is not served',
    new AppError('method_not_allowed', 'Later', { status: 405 }),
    requestContext(1),
  ],
])('renders %s in plain JSON', (_name, error, of) => {
  expect(renderError(error, of, FACTS)).toMatchObject({
    status: error.status,
    body: { error: { code: error.code, message: 'Later' } },
  });
  expect(renderError(error, of, FACTS).body).not.toHaveProperty('jsonrpc');
});

it.each([requestContext(1), undefined])('hides causes, stacks and recorded reasons', (of) => {
  const secret = new Error('postgres://user:secret@host');
  const answers = [
    unexpectedError(secret),
    malformedRequest('m', { cause: secret }),
    new AppError('tool_unknown', 'm', { status: 404, cause: secret, recordedReason: 'tool_not_allowed' }),
  ].map((error) => JSON.stringify(renderError(error, of, FACTS)));
  expect(answers.join()).not.toMatch(/secret|tool_not_allowed|spec\.ts/);
  expect(answers[0]).toContain('Internal error');
});
