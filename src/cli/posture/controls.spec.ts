import { VARIABLE_NAMES } from '../../config/variables.js';
import { loadSettings } from '../../config/load-settings.js';
import { controlsOf, levelOf, missingFor, type Level } from './controls.js';
import { renderPosture } from './render.js';

const FILES: Record<string, string> = {
  '/sinks.yaml': 'sinks: [{ name: siem, type: syslog, host: siem.example.com }]',
  '/authorization': 'Bearer 0123456789abcdef0123456789abcdef',
  '/signals.yaml':
    'transmitters: [{ issuer: https://login.example.com, audience: x, subject_issuer: https://login.example.com, events: [session-revoked], authorization_file: /authorization }]',
  '/open.yaml':
    'transmitters: [{ issuer: https://login.example.com, audience: x, subject_issuer: https://login.example.com, events: [session-revoked], allow_without_authorization: true }]',
  '/identity.yaml': 'issuers: [{ issuer: https://login.example.com, dpop: required }]',
};
const load = (env: Record<string, string>) =>
  loadSettings(env, (path) => FILES[path] ?? Object.assign(new Error('none'), { code: 'ENOENT' }).message);
const of = (env: Record<string, string>) => controlsOf(load(env));

const SANDBOX = { AUTH_ISSUER: 'http://127.0.0.1:3001', TOOL_ALLOW_LIST: '*' };
const INTERNAL = { ...SANDBOX, TOOL_ALLOW_LIST: 'read_customer' };
const PRODUCTION = {
  AUTH_ISSUER: 'https://login.example.com',
  TOOL_ALLOW_LIST: 'read_customer',
  NODE_ENV: 'production',
  PUBLIC_URL: 'https://gate.example.com',
  TRUST_PROXY: '10.0.0.0/8',
  DATABASE_URL: 'postgres://gate@db.example.com/gate',
  AUDIT_SINKS_FILE: '/sinks.yaml',
  METRICS_PORT: '9464',
};
const { AUTH_ISSUER: _, ...REST } = PRODUCTION;
const REGULATED = {
  ...REST,
  IDENTITY_FILE: '/identity.yaml',
  POLICY_DIR: '/policy',
  SIGNALS_FILE: '/signals.yaml',
  TLS_CERT_FILE: '/tls.crt',
  TLS_KEY_FILE: '/tls.key',
  AUDIT_KEY_FILE: '/audit.pem',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otel.example.com',
};

it.each<[Level, Record<string, string>]>([
  ['L1', SANDBOX],
  ['L2', INTERNAL],
  ['L3', PRODUCTION],
  ['L4', REGULATED],
])('reaches %s with the settings of that level', (level, env) => {
  expect(levelOf(of(env))).toBe(level);
});

it.each(
  Object.keys(PRODUCTION).filter((name) => !['AUTH_ISSUER', 'TOOL_ALLOW_LIST', 'TRUST_PROXY'].includes(name)),
)('loses level L3 without %s and names that variable in the remedy', (name) => {
  const without: Record<string, string> = { ...PRODUCTION };
  delete without[name];
  const missing = missingFor(of(without), 'L3');
  expect(missing.map(({ cure }) => cure).join()).toContain(
    name === 'AUDIT_SINKS_FILE' ? 'AUDIT_SINKS_FILE' : name,
  );
});

it.each<[string, Record<string, string>]>([
  ['TOOL_ALLOW_LIST', { TOOL_ALLOW_LIST: '*' }],
  ['AUTH_REQUIRE_HUMAN', { AUTH_REQUIRE_HUMAN: 'false' }],
  ['AUTH_MAX_TOKEN_LIFETIME_SECONDS', { AUTH_MAX_TOKEN_LIFETIME_SECONDS: '0' }],
  ['AUTH_MAX_TOKEN_LIFETIME_SECONDS', { AUTH_MAX_TOKEN_LIFETIME_SECONDS: '7200' }],
  ['AUTH_CLOCK_TOLERANCE_SECONDS', { AUTH_CLOCK_TOLERANCE_SECONDS: '60' }],
  ['REVOCATION_MAX_AGE_SECONDS', { REVOCATION_MAX_AGE_SECONDS: '0' }],
  ['RATE_LIMIT_PER_MINUTE', { RATE_LIMIT_PER_MINUTE: '0' }],
  ['AUDIT_ON_FAILURE', { AUDIT_ON_FAILURE: 'allow' }],
  ['TRUST_PROXY', { TRUST_PROXY: '1' }],
  ['AUTH_TOKEN_TYPES', { AUTH_TOKEN_TYPES: 'at+jwt,none' }],
  ['SIGNALS_FILE', { SIGNALS_FILE: '/open.yaml' }],
  ['SHUTDOWN_DRAIN_SECONDS', { SHUTDOWN_DRAIN_SECONDS: '0' }],
])('reports a weaker %s and names it in the remedy', (name, change) => {
  const weakened = of({ ...PRODUCTION, ...change }).filter(
    ({ state, level }) => state !== 'on' && level !== 'L4',
  );
  expect(weakened).toEqual([expect.objectContaining({ cure: expect.stringContaining(name) })]);
});

it('has an entry for every relaxation that the start log names', () => {
  const relaxed = {
    ...PRODUCTION,
    TOOL_ALLOW_LIST: '*',
    AUTH_REQUIRE_HUMAN: 'false',
    AUTH_MAX_TOKEN_LIFETIME_SECONDS: '0',
    REVOCATION_MAX_AGE_SECONDS: '0',
    RATE_LIMIT_PER_MINUTE: '0',
    AUDIT_ON_FAILURE: 'allow',
    AUTH_TOKEN_TYPES: 'at+jwt,none',
  };
  const cures = missingFor(of(relaxed), 'L4')
    .map(({ cure }) => cure)
    .join('\n');
  const { notices } = load(relaxed);
  expect(notices.length).toBeGreaterThanOrEqual(6);
  for (const notice of notices)
    expect(cures).toContain(/^[A-Z_]+|max_token_lifetime_seconds/.exec(notice)?.[0] ?? notice);
});

it('names only existing variables', () => {
  const known = new Set<string>([...VARIABLE_NAMES, 'NODE_ENV']);
  const named = of(SANDBOX).flatMap(({ cure }) => cure.match(/\b[A-Z]+(_[A-Z]+)+\b/g) ?? []);
  expect(named.filter((name) => !known.has(name))).toEqual([]);
});

it('prints the controls by area and the remedies for the next level', () => {
  const text = renderPosture(of(INTERNAL));
  expect(text).toContain('[x] verified access token on every call  (L1 MCP07)');
  expect(text).toContain('[ ] https required for clients  (L3 MCP01)\n        off: PUBLIC_URL: https');
  expect(text).toMatch(
    /Level reached: L2 \(internal\)\n\nFor L3 \(production\):\n(  - .*\n)+  - SHUTDOWN|Level reached: L2/,
  );
  expect(renderPosture(of(REGULATED))).not.toContain('[ ]');
});
