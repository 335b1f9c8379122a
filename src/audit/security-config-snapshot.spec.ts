import { loadSettings } from '../config/load-settings.js';
import { changedMembers, securityConfigSnapshot } from './security-config-snapshot.js';

const REQUIRED = { AUTH_ISSUER: 'https://login.example.com', TOOL_ALLOW_LIST: 'read,write' };
const SECRET = 's3cret-'.repeat(8);

function configured(env: Record<string, string> = {}, rules: Record<string, object> = {}) {
  return securityConfigSnapshot(
    loadSettings({ ...REQUIRED, ...env }, () => SECRET),
    rules,
    null,
    ['read'],
  );
}

it('contains the settings that affect decisions', () => {
  expect(configured()).toMatchObject({
    resource: 'http://127.0.0.1:3000/mcp',
    issuers: ['https://login.example.com'],
    allow_list: ['read', 'write'],
    require_human: true,
    denial_detail: 'explain',
    audit_on_failure: 'deny',
  });
  expect(JSON.stringify(configured({ AUDIT_PSEUDONYM_KEY_FILE: '/x' }))).not.toContain(SECRET);
});

it('replaces a long allow-list with its digest', () => {
  const names = Array.from({ length: 101 }, (_, at) => `tool_${at}`).join(',');
  expect(configured({ TOOL_ALLOW_LIST: names }).allow_list).toEqual({
    names: 101,
    sha256: expect.stringMatching(/^[\da-f]{64}$/),
  });
});

it.each<[string, Record<string, string>, string]>([
  ['the allow-list', { TOOL_ALLOW_LIST: 'read' }, 'allow_list'],
  ['the audience', { AUTH_AUDIENCE: 'other' }, 'identity_sha256'],
  ['the lifetime of tokens', { AUTH_MAX_TOKEN_LIFETIME_SECONDS: '60' }, 'identity_sha256'],
  ['workloads', { AUTH_REQUIRE_HUMAN: 'false' }, 'require_human'],
  ['the challenge', { CHALLENGE_SCOPES: 'minimal' }, 'challenge_scopes'],
  ['concealment', { DENIAL_DETAIL: 'conceal' }, 'denial_detail'],
  ['the rate', { RATE_LIMIT_PER_MINUTE: '1' }, 'rate_limit_per_minute'],
  ['the proxy', { TRUST_PROXY: '1' }, 'trust_proxy'],
  ['the headers of proxies', { TRUST_PROXY_HEADERS: 'forwarded' }, 'trust_proxy_headers'],
  ['origins', { ALLOWED_ORIGINS: 'https://app.example.com' }, 'allowed_origins'],
  ['hosts', { ALLOWED_HOSTS: 'gate' }, 'allowed_hosts'],
  ['what happens without an audit log', { AUDIT_ON_FAILURE: 'allow' }, 'audit_on_failure'],
  ['pseudonyms', { AUDIT_PSEUDONYM_KEY_FILE: '/x' }, 'audit_pseudonyms'],
])('reports a change of %s', (_, env, member) => {
  expect(changedMembers(configured(), configured(env))).toEqual([member]);
});

it('reports a change of signal transmitters without their secrets', () => {
  const listening = (events: string) => {
    const file = `transmitters: [{ issuer: https://login.example.com, audience: x, authorization_file: s, subject_issuer: https://login.example.com, events: [${events}] }]`;
    const read = (path: string) => (path === '/signals' ? file : `Bearer ${SECRET}`);
    return securityConfigSnapshot(loadSettings({ ...REQUIRED, SIGNALS_FILE: '/signals' }, read), {}, null, [
      'read',
    ]);
  };
  expect(changedMembers(configured(), listening('account-purged'))).toEqual(['signals_sha256']);
  expect(changedMembers(listening('account-purged'), listening('account-disabled'))).toEqual([
    'signals_sha256',
  ]);
  expect(JSON.stringify(listening('account-purged'))).not.toContain('s3cret');
});

it('reports a change of the access rules', () => {
  const changed = changedMembers(
    configured({}, { read: { scopes: ['a'] } }),
    configured({}, { read: { scopes: [] } }),
  );
  expect(changed).toEqual(['rules_sha256']);
});

it('reports no change if only the port, the log level and file paths differ', () => {
  const env = { DATA_DIR: '/elsewhere', LOG_LEVEL: 'debug', EXAMPLE_TOOLS: 'true', SMTP_URL: 'smtp://mail' };
  expect(changedMembers(configured(), configured(env))).toEqual([]);
});

it('reports added and removed members, and null without a previous run', () => {
  expect(changedMembers({ a: 1, b: null }, { b: 2, c: 3 })).toEqual(['a', 'b', 'c']);
  expect(changedMembers(undefined, { a: 1 })).toBeNull();
});
