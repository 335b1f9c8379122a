import fc from 'fast-check';
import { join, resolve } from 'node:path';
import { ConfigurationError, loadSettings as load, type Environment } from './load-settings.js';
import type { IssuerSettings } from './settings.js';
import { VARIABLE_NAMES } from './variables.js';

/** The tests of this file name no files. */
const loadSettings = (env: Environment) =>
  load(env, () => {
    throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
  });

const REQUIRED = { AUTH_ISSUER: 'https://login.example.com', TOOL_ALLOW_LIST: 'a' };

function faults(env: Record<string, string>): string[] {
  try {
    loadSettings({ ...REQUIRED, ...env });
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return [...(error as ConfigurationError).faults];
  }
}

it('returns the documented defaults', () => {
  expect(loadSettings(REQUIRED)).toEqual({
    server: {
      host: '127.0.0.1',
      port: 3000,
      publicUrl: 'http://127.0.0.1:3000',
      mcpPath: '/mcp',
      fastPath: 'auto',
      resource: 'http://127.0.0.1:3000/mcp',
      allowedOrigins: ['http://127.0.0.1:3000', 'http://localhost:3000', 'http://[::1]:3000'],
      allowedHosts: ['127.0.0.1', 'localhost', '[::1]'],
      trustProxy: false,
      proxyHeaders: 'auto',
      tls: undefined,
    },
    auth: {
      issuers: [
        {
          issuer: 'https://login.example.com',
          audience: ['http://127.0.0.1:3000/mcp'],
          metadataUrl: undefined,
          jwksUri: undefined,
          algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
          preset: 'generic',
          tokenTypes: undefined,
          clockToleranceSeconds: 5,
          maxTokenLifetimeSeconds: 3600,
          claims: {},
          roleMap: undefined,
          scopePrefix: '',
          dpop: 'allowed',
          mtls: 'allowed',
          keyRefreshSeconds: 300,
          keyMaxAgeSeconds: 3600,
          introspection: undefined,
        },
      ],
      dpopNonceSecret: undefined,
      clientCertificateHeader: undefined,
      refusesDemoIssuer: false,
    },
    policy: {
      allowList: new Set(['a']),
      requireHuman: true,
      denialDetail: 'explain',
      challengeScopes: 'allowed',
    },
    audit: {
      file: resolve('data/audit.jsonl'),
      onFailure: 'deny',
      keyFile: resolve('data/audit-key.pem'),
      makesKey: true,
      rotateBytes: 256 * 1024 * 1024,
      rotateDaily: true,
      retentionDays: 0,
      pseudonymKey: undefined,
      sinks: [],
    },
    storage: { dataDir: resolve('data'), databaseUrl: undefined },
    revocation: { maxAgeSeconds: 300 },
    operations: { metrics: undefined, tracing: undefined },
    shutdown: { drainSeconds: 5, graceSeconds: 20 },
    signals: [],
    upstreams: {
      list: [],
      pinsFile: resolve('data/upstream-pins.json'),
      keyFile: resolve('data/identity-key.pem'),
      makesKey: true,
      folder: resolve('data/upstreams'),
    },
    limits: { perMinute: 600 },
    examples: undefined,
    log: { level: 'info', pretty: false },
    notices: [],
  });
});

it('derives the public addresses from PUBLIC_URL', () => {
  const { server, auth } = loadSettings({
    ...REQUIRED,
    PUBLIC_URL: 'https://Gate.Example.com/',
    TRUST_PROXY: '127.0.0.1',
    MCP_PATH: '/v1/mcp',
  });
  expect(server.resource).toBe('https://gate.example.com/v1/mcp');
  expect(auth.issuers[0]?.audience).toEqual([server.resource]);
  expect(server.allowedOrigins).toEqual(['https://gate.example.com']);
  expect(server.allowedHosts).toEqual(['gate.example.com']);
});

it.each([
  ['https://gate.example.com', 'https://gate.example.com'],
  ['https://gate.example.com/', 'https://gate.example.com'],
  ['https://gate.example.com/tools', 'https://gate.example.com/tools'],
  ['https://GATE.example.com:443/tools/a.b/', 'https://gate.example.com/tools/a.b'],
])('derives from PUBLIC_URL=%s the base %s', (url, base) => {
  const { server, auth } = loadSettings({ ...REQUIRED, PUBLIC_URL: url, TRUST_PROXY: '1' });
  expect(server.publicUrl).toBe(base);
  expect([server.mcpPath, server.resource]).toEqual(['/mcp', `${base}/mcp`]);
  expect(auth.issuers[0]?.audience).toEqual([`${base}/mcp`]);
  expect(server.allowedOrigins).toEqual(['https://gate.example.com']);
  expect(server.allowedHosts).toEqual(['gate.example.com']);
});

it('accepts an http issuer with an https address of its keys, and reports it at startup', () => {
  const AUTH_ISSUER = 'http://adfs.example.com/adfs/services/trust';
  const AUTH_JWKS_URI = 'https://adfs.example.com/adfs/discovery/keys';
  const { auth, notices } = loadSettings({ ...REQUIRED, AUTH_ISSUER, AUTH_JWKS_URI });
  expect(auth.issuers[0]).toMatchObject({ issuer: AUTH_ISSUER, jwksUri: AUTH_JWKS_URI });
  expect(notices.join()).toContain(`the issuer ${AUTH_ISSUER} is an identifier that is never fetched`);
});

it('accepts a JWKS URL with a query', () => {
  const uri = 'https://tenant.b2clogin.com/tenant/discovery/v2.0/keys?p=b2c_1_signin';
  expect(loadSettings({ ...REQUIRED, AUTH_JWKS_URI: uri }).auth.issuers[0]?.jwksUri).toBe(uri);
});

it.each<[string, string | readonly string[]]>([
  ['allowed', 'allowed'],
  [' minimal ', 'minimal'],
  ['db.read', ['db.read']],
  ['db.read,db.write', ['db.read', 'db.write']],
  ['db.read db.write, db.read', ['db.read', 'db.write']],
  ['api://x/db.read  db.write', ['api://x/db.read', 'db.write']],
])('reads CHALLENGE_SCOPES=%j', (text, expected) => {
  expect(loadSettings({ ...REQUIRED, CHALLENGE_SCOPES: text }).policy.challengeScopes).toEqual(expected);
});

it('places the audit log in DATA_DIR by default', () => {
  expect(loadSettings({ ...REQUIRED, DATA_DIR: '/srv/gate' }).audit.file).toBe(
    join('/srv/gate', 'audit.jsonl'),
  );
});

it.each([
  ['AUTH_ISSUER', 'http://login.example.com'],
  ['AUTH_ISSUER', 'https://user:pw@login.example.com'],
  ['AUTH_ISSUER', 'https://login.example.com?x=1'],
  ['AUTH_ISSUER', 'login.example.com'],
  ['AUTH_ISSUER', 'https://127.0.0.1.evil.example\\@x'],
  ['AUTH_JWKS_URI', 'http://keys.example.com/jwks'],
  ['AUTH_JWKS_URI', 'https://keys.example.com/jwks#x'],
  ['AUTH_JWKS_URI', 'https://user:pw@keys.example.com/jwks'],
  ['PUBLIC_URL', 'http://gate.example.com'],
  ['PUBLIC_URL', 'http://127.0.0.1.evil.example'],
  ['PUBLIC_URL', 'https://gate.example.com/a/../b'],
  ['PUBLIC_URL', 'https://gate.example.com/..'],
  ['PUBLIC_URL', 'https://gate.example.com/./a'],
  ['PUBLIC_URL', 'https://gate.example.com//a'],
  ['PUBLIC_URL', 'https://gate.example.com/a//'],
  ['PUBLIC_URL', 'https://gate.example.com/a%2fb'],
  ['PUBLIC_URL', 'https://gate.example.com/a b'],
  ['PUBLIC_URL', 'https://gate.example.com\\a'],
  ['PUBLIC_URL', 'https://gate.example.com/a?b'],
  ['PUBLIC_URL', 'https://gate.example.com/a#b'],
  ['PUBLIC_URL', 'https://gate.example.com/"a"'],
  ['PUBLIC_URL', 'http://gate.example.com/a'],
  ['HOST', '0.0.0.0 '],
  ['PORT', '0'],
  ['PORT', '65536'],
  ['PORT', '3e3'],
  ['PORT', ' 80'],
  ['MCP_PATH', 'mcp'],
  ['MCP_PATH', '/mcp/'],
  ['MCP_PATH', '/a b'],
  ['MCP_FAST_PATH', 'on'],
  ['AUTH_AUDIENCE', ','],
  ['AUTH_ALGORITHMS', 'HS256'],
  ['AUTH_ALGORITHMS', 'RS256,none'],
  ['AUTH_PRESET', 'azure'],
  ['AUTH_PRESET', 'toString'],
  ['AUTH_TOKEN_TYPES', ','],
  ['AUTH_CLOCK_TOLERANCE_SECONDS', '61'],
  ['AUTH_CLOCK_TOLERANCE_SECONDS', '-1'],
  ['AUTH_MAX_TOKEN_LIFETIME_SECONDS', 'an hour'],
  ['AUTH_REQUIRE_HUMAN', 'no'],
  ['AUTH_REQUIRE_HUMAN', 'False'],
  ['TOOL_ALLOW_LIST', ','],
  ['TOOL_ALLOW_LIST', 'read customer'],
  ['DENIAL_DETAIL', 'none'],
  ['CHALLENGE_SCOPES', ','],
  ['CHALLENGE_SCOPES', ' , ,'],
  ['CHALLENGE_SCOPES', 'Allowed'],
  ['CHALLENGE_SCOPES', 'allowed, db.read'],
  ['CHALLENGE_SCOPES', 'db.read minimal'],
  ['CHALLENGE_SCOPES', 'db.read "quoted"'],
  ['CHALLENGE_SCOPES', 'back\\slash'],
  ['CHALLENGE_SCOPES', 'umlaut-ä'],
  ['CHALLENGE_SCOPES', 'bell\x07'],
  ['AUDIT_ON_FAILURE', 'ignore'],
  ['DATABASE_URL', 'mysql://x'],
  ['RATE_LIMIT_PER_MINUTE', '-5'],
  ['ALLOWED_ORIGINS', 'gate.example.com'],
  ['ALLOWED_ORIGINS', 'https://gate.example.com/path'],
  ['ALLOWED_HOSTS', 'https://gate.example.com'],
  ['TRUST_PROXY', 'true'],
  ['TRUST_PROXY_HEADERS', 'Forwarded'],
  ['TRUST_PROXY_HEADERS', 'x-forwarded,forwarded'],
  ['TRUST_PROXY', '1,2'],
  ['TRUST_PROXY', 'false,10.0.0.0/8'],
  ['TRUST_PROXY', 'fade'],
  ['TRUST_PROXY', '999.1.1.1'],
  ['TRUST_PROXY', '10.0.0.0/33'],
  ['TRUST_PROXY', '::1/129'],
  ['TRUST_PROXY', '0.0.0.0/0'],
  ['TRUST_PROXY', '::/0'],
  ['TLS_CERT_FILE', '/tls.crt'],
  ['TLS_KEY_FILE', '/tls.key'],
  ['TLS_CLIENT_CA_FILE', '/ca.crt'],
  ['SMTP_URL', 'http://mail'],
  ['EXAMPLE_TOOLS', 'yes'],
  ['LOG_LEVEL', 'loud'],
  ['LOG_PRETTY', '1'],
  ['IDENTITY_FILE', '/identity.yaml'],
  ['SHUTDOWN_DRAIN_SECONDS', '301'],
  ['SHUTDOWN_GRACE_SECONDS', 'soon'],
  ['METRICS_PORT', '0'],
  ['METRICS_HOST', '10.0.0.1'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'ftp://collector:4318'],
  ['OTEL_EXPORTER_OTLP_HEADERS_FILE', '/run/headers'],
  ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
  ['OTEL_SERVICE_NAME', 'gate'],
])('rejects %s=%s', (name, value) => {
  const found = faults({ [name]: value });
  expect(found.some((fault) => fault.startsWith(name) || fault.includes(name))).toBe(true);
  if (value.trim().length > 4) expect(found.join()).not.toContain(value);
});

it.each(VARIABLE_NAMES)('rejects an empty %s', (name) => {
  for (const nothing of ['', '  ']) {
    expect(faults({ [name]: nothing })).toContain(
      `${name}: is set but empty: give it a value, or leave it out`,
    );
  }
});

it('reports all faults at once', () => {
  const error = (() => {
    try {
      loadSettings({ PORT: 'x', AUTH_ALGORITHMS: 'HS256', LOG_LEVEL: '' });
    } catch (thrown) {
      return thrown as ConfigurationError;
    }
    return undefined;
  })();
  expect(error?.faults.map((fault) => fault.split(':')[0]).sort()).toEqual([
    'AUTH_ALGORITHMS',
    'AUTH_ISSUER',
    'LOG_LEVEL',
    'PORT',
    'TOOL_ALLOW_LIST',
  ]);
});

describe('loadSettings: traces', () => {
  const traced = (endpoint: string, headers?: string) =>
    load(
      {
        ...REQUIRED,
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        ...(headers !== undefined && { OTEL_EXPORTER_OTLP_HEADERS_FILE: '/run/headers' }),
      },
      () => headers ?? '',
    ).operations.tracing;

  it('appends the path to the endpoint and reads the headers from the file', () => {
    expect(traced('https://otel.example.com/base/', 'Authorization: Basic Zm9v\nx-team=a b \n')).toEqual({
      endpoint: 'https://otel.example.com/base/v1/traces',
      headers: { Authorization: 'Basic Zm9v', 'x-team': 'a b' },
      ratio: 1,
      serviceName: 'identity-aware-mcp-server',
    });
    expect(traced('http://collector:4318')?.endpoint).toBe('http://collector:4318/v1/traces');
  });

  it('rejects header secrets over plain HTTP, and shows none', () => {
    expect(() => traced('http://collector:4318', 'x-api-key: hunter2')).toThrow('must be https, or loopback');
    expect(() => traced('https://collector', 'hunter2')).toThrow('a line that is not NAME: VALUE');
    expect(() => traced('https://collector', 'hunter2')).not.toThrow('hunter2');
  });
});

describe('loadSettings: EXAMPLE_TOOLS', () => {
  const SMTP_URL = 'smtp://gate:hunter2@mail.example.com:587';

  it('loads the settings of the example tools, and reports them at startup', () => {
    const { examples, notices } = loadSettings({ ...REQUIRED, EXAMPLE_TOOLS: 'true', SMTP_URL });
    expect(examples).toEqual({ smtpUrl: SMTP_URL });
    expect(notices).toEqual([expect.stringMatching(/^EXAMPLE_TOOLS=true: the example tools/)]);
  });

  it.each(['true', 'false', undefined])('validates SMTP_URL only with the example tools (%s)', (value) => {
    const found = faults({ ...(value && { EXAMPLE_TOOLS: value }), SMTP_URL: 'http://hunter2' });
    expect(found).toEqual([
      value === 'true'
        ? 'SMTP_URL: must be an smtp:// or smtps:// URL'
        : 'SMTP_URL: has no effect without EXAMPLE_TOOLS=true',
    ]);
  });

  it('rejects SMTP_URL_FILE without it, and does not read the file', () => {
    const read = () => {
      throw new Error('was read');
    };
    expect(() => load({ ...REQUIRED, SMTP_URL_FILE: '/run/secrets/url' }, read)).toThrow(
      '- SMTP_URL_FILE: has no effect without EXAMPLE_TOOLS=true',
    );
  });
});

describe.each([
  ['DATABASE_URL', 'postgres://gate:hunter2@db.example.com:5432/gate', 'must be a postgres:// URL'],
  ['SMTP_URL', 'smtp://gate:hunter2@mail.example.com:587', 'must be an smtp:// or smtps:// URL'],
] as const)('loadSettings: %s from a file', (name, url, form) => {
  const inFile = `${name}_FILE`;
  const held = (text: string, env: Environment = {}) =>
    load({ ...REQUIRED, EXAMPLE_TOOLS: 'true', [inFile]: '/run/secrets/url', ...env }, (path) => {
      expect(path).toBe('/run/secrets/url');
      return text;
    });

  it('has the same effect as the variable', () => {
    const { storage, examples } = held(`${url}\n`);
    expect(name === 'SMTP_URL' ? examples?.smtpUrl : storage.databaseUrl).toBe(url);
  });

  it('is rejected together with the variable', () => {
    expect(() => held(url, { [name]: url })).toThrow(
      `- ${inFile}: has the same purpose as ${name}: remove one of them`,
    );
  });

  it('is rejected with another kind of URL, without its content', () => {
    for (const wrong of ['mysql://hunter2', '', `${url} ${url}`]) {
      expect(() => held(wrong)).toThrow(
        new RegExp(`^(?![^]*hunter2)[^]*- ${inFile}: the content of the file ${form}$`),
      );
    }
  });

  it('is rejected if the file is unreadable', () => {
    const found = faults({ EXAMPLE_TOOLS: 'true', [inFile]: '/run/secrets/url' });
    expect(found).toEqual([`${inFile}: the file cannot be read (ENOENT)`]);
  });
});

it('requires PUBLIC_URL if HOST is not loopback', () => {
  expect(faults({ HOST: '0.0.0.0' })).toEqual([
    'PUBLIC_URL: is required if HOST is not loopback: set the https URL of clients',
  ]);
  const named = { HOST: '0.0.0.0', PUBLIC_URL: 'https://gate.example.com' };
  expect(faults({ ...named, TRUST_PROXY: '10.0.0.0/8' })).toEqual([]);
  expect(faults(named)).toEqual([
    'TRUST_PROXY: must name the proxy that speaks https for this server, unless TLS_CERT_FILE is set',
  ]);
  expect(faults({ ...named, TLS_CERT_FILE: '/tls.crt', TLS_KEY_FILE: '/tls.key' })).toEqual([]);
});

it('reports every relaxation and every probable typing error', () => {
  const { notices } = loadSettings({
    ...REQUIRED,
    TOOL_ALLOW_LIST: '*',
    AUTH_REQUIRE_HUMAN: 'false',
    AUTH_MAX_TOKEN_LIFETIME_SECONDS: '0',
    RATE_LIMIT_PER_MINUTE: '0',
    AUDIT_ON_FAILURE: 'allow',
    AUTH_TOKEN_TYPES: 'none',
    AUTH_AUDIANCE: 'secret',
    PATH: '/bin',
  });
  expect(notices.map((notice) => notice.split(/[=: ]/)[0] ?? '').sort()).toEqual([
    'AUDIT_ON_FAILURE',
    'AUTH_AUDIANCE',
    'AUTH_MAX_TOKEN_LIFETIME_SECONDS',
    'AUTH_REQUIRE_HUMAN',
    'AUTH_TOKEN_TYPES',
    'RATE_LIMIT_PER_MINUTE',
    'TOOL_ALLOW_LIST',
  ]);
  expect(notices.join()).not.toContain('secret');
});

it.each([
  ['false', false],
  ['2', 2],
  ['10.0.0.0/8, loopback', ['10.0.0.0/8', 'loopback']],
])('accepts or rejects TRUST_PROXY=%s', (text, expected) => {
  expect(loadSettings({ ...REQUIRED, TRUST_PROXY: text }).server.trustProxy).toEqual(expected);
});

it('throws only ConfigurationError, without values, for random variables', () => {
  const MARK = 'v@lue';
  const env = fc.dictionary(
    fc.constantFrom(...VARIABLE_NAMES),
    fc.string().map((text) => text + MARK),
  );
  fc.assert(
    fc.property(env, (variables) => {
      expect(faults(variables as Record<string, string>).join('\n')).not.toContain(MARK);
    }),
  );
});

it.each([
  'http://localhost:8080',
  'http://127.0.0.1',
  'http://127.9.9.9',
  'http://[::1]:3000',
  'https://gate.example.com:8443',
])('accepts %s for tokens', (url) => {
  const addresses = { PUBLIC_URL: url, AUTH_ISSUER: url, AUTH_JWKS_URI: `${url}/jwks` };
  expect(faults({ ...addresses, TRUST_PROXY: '127.0.0.1' })).toEqual([]);
});

it.each([
  'http://gate.example.com',
  'http://0.0.0.0',
  'http://10.0.0.1',
  'http://128.0.0.1',
  'http://[::2]',
  'http://[::ffff:127.0.0.1]',
  'http://localhost.example.com',
  'http://localhost.',
  'http://127.0.0.1.example.com',
  'ftp://localhost',
  'javascript:alert(1)',
  '//localhost',
  'https://',
])('rejects %s for tokens', (url) => {
  const names = ['AUTH_ISSUER', 'AUTH_JWKS_URI', 'PUBLIC_URL'] as const;
  expect(
    faults(Object.fromEntries(names.map((name) => [name, url])))
      .map((fault) => fault.replace(/:.*/s, ''))
      .sort(),
  ).toEqual([...names]);
});

it('returns safe settings or faults with names for random variables', () => {
  const flag = fc.constantFrom('true', 'false', 'TRUE', '1');
  const number = fc.constantFrom('0', '1', '60', '600', '-1', '1e3', '0x1', '99999999999');
  const url = fc.constantFrom(
    'https://a.example',
    'http://a.example',
    'http://localhost:1',
    'https://a.example/b',
  );
  const list = fc.array(fc.constantFrom('a', '*', ' ', 'RS256', 'HS256', 'none', 'b c')).map(String);
  const likely: Readonly<Record<string, fc.Arbitrary<string>>> = {
    HOST: fc.constantFrom('localhost', '127.0.0.1', '::1', '0.0.0.0', 'gate'),
    PORT: number,
    PUBLIC_URL: url,
    AUTH_ISSUER: url,
    AUTH_JWKS_URI: url,
    AUTH_AUDIENCE: list,
    AUTH_ALGORITHMS: list,
    AUTH_TOKEN_TYPES: list,
    TOOL_ALLOW_LIST: list,
    AUTH_REQUIRE_HUMAN: flag,
    AUTH_CLOCK_TOLERANCE_SECONDS: number,
    AUTH_MAX_TOKEN_LIFETIME_SECONDS: number,
    TLS_CERT_FILE: fc.constant('/tls.crt'),
    TLS_KEY_FILE: fc.constant('/tls.key'),
    TRUST_PROXY: fc.oneof(number, list, flag),
  };
  const assignment = fc
    .constantFrom(...VARIABLE_NAMES)
    .chain((name) => fc.tuple(fc.constant(name), likely[name] ?? fc.oneof(flag, number, fc.string())));
  const some = fc.array(assignment, { maxLength: 5 }).map((given) => Object.fromEntries(given));
  fc.assert(
    fc.property(some, fc.boolean(), (given, complete) => {
      const env: Environment = complete ? { ...REQUIRED, ...given } : given;
      try {
        const { auth, server, policy } = loadSettings(env);
        const [issuer] = auth.issuers as [IssuerSettings];
        expect(issuer.audience.filter((name) => name.trim() !== '')).not.toEqual([]);
        expect(issuer.algorithms.filter((name) => /^(RS|PS|ES)\d+$|^Ed/.test(name))).toEqual(
          issuer.algorithms,
        );
        expect(issuer.algorithms).not.toEqual([]);
        expect(issuer.clockToleranceSeconds).toBeLessThanOrEqual(60);
        expect(server.resource).toBe(server.publicUrl + server.mcpPath);
        expect(server.resource).not.toMatch(/\/$/);
        expect(policy.requireHuman).toBe(env.AUTH_REQUIRE_HUMAN !== 'false');
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        expect(error.faults).not.toEqual([]);
        for (const fault of error.faults) expect(VARIABLE_NAMES).toContain(fault.split(':')[0]);
      }
    }),
    { numRuns: 2000 },
  );
});

describe('loadSettings: values of other programs', () => {
  it.each([
    ['"https://login.example.com"', 'AUTH_ISSUER: is in quotes'],
    ["'https://login.example.com'", 'AUTH_ISSUER: is in quotes'],
    ['`https://login.example.com`', 'AUTH_ISSUER: is in quotes'],
    ['https://login.example.com\r', 'AUTH_ISSUER: ends with a carriage return'],
    ['https://login.example.com # provider', 'AUTH_ISSUER: holds a # comment'],
    ['https://login.example.com\nPOLICY_DIR=policy', 'AUTH_ISSUER: holds a control character'],
  ])('reports only the foreign value in %j', (value, fault) => {
    expect(faults({ AUTH_ISSUER: value })).toEqual([expect.stringContaining(fault)]);
  });

  it.each(VARIABLE_NAMES)('rejects quotes and a carriage return in %s', (name) => {
    for (const value of ['"secret-1"', 'secret-1\r'] as const) {
      const found = faults({ [name]: value });
      expect(found).toContainEqual(
        expect.stringMatching(new RegExp(`^${name}: (is in quotes|ends with a carriage return)`)),
      );
      expect(found.join()).not.toContain('secret-1');
    }
  });

  it.each(['tcp://10.0.0.1:9464', 'udp://10.0.0.1:53', 'tcp://[fd00::1]:9464', 'tcp://metrics.prod:1'])(
    'names METRICS_PORT=%s as injected by Kubernetes',
    (value) => {
      expect(faults({ METRICS_PORT: value })).toEqual([
        expect.stringMatching(/^METRICS_PORT: is injected by Kubernetes .*enableServiceLinks: false/),
      ]);
    },
  );

  it.each(['export POLICY_DIR', 'POLICY_DIR ', '\t\nPOLICY_DIR', '\u{feff}POLICY_DIR', 'POLICY_DIR\r'])(
    'rejects a variable with the name %j',
    (name) => {
      expect(faults({ [name]: 'policy' })).toEqual([expect.stringContaining('POLICY_DIR: a variable has')]);
    },
  );

  it('reports Kubernetes variables in one line beside a typing error', () => {
    const service = (name: string) => ({
      [`${name}_SERVICE_HOST`]: '10.0.0.1',
      [`${name}_SERVICE_PORT`]: '80',
      [`${name}_SERVICE_PORT_HTTP`]: '80',
      [`${name}_PORT_80_TCP`]: 'tcp://10.0.0.1:80',
      [`${name}_PORT_80_TCP_PROTO`]: 'tcp',
      [`${name}_PORT_80_TCP_PORT`]: '80',
      [`${name}_PORT_80_TCP_ADDR`]: '10.0.0.1',
    });
    const { notices } = loadSettings({
      ...REQUIRED,
      ...service('AUTH'),
      AUTH_PORT: 'tcp://10.0.0.1:80',
      ...service('TOOL_BOX'),
      ...service('REDIS'),
      AUTH_AUDIANCE: 'x',
    });
    expect(notices).toEqual([
      'AUTH_AUDIANCE is not a variable of this server and has no effect',
      expect.stringMatching(/^The variables of Kubernetes for the services AUTH, TOOL_BOX have no effect:/),
    ]);
  });

  it.each(['policy_dir', 'Policy_Dir', 'POLICY-DIR', 'policy.dir', 'POLICY_DRI'])(
    'names the unknown variable %s',
    (name) => {
      expect(loadSettings({ ...REQUIRED, [name]: 'policy' }).notices).toEqual([
        `${name} is not a variable of this server and has no effect`,
      ]);
    },
  );
});

describe('loadSettings: TLS to PostgreSQL', () => {
  const DATABASE_URL = 'postgres://gate@db.example.com/gate?sslmode=require';

  it('reports a relaxation at startup', () => {
    expect(loadSettings({ ...REQUIRED, DATABASE_URL }).notices).toEqual([
      expect.stringMatching(/^DATABASE_URL: sslmode=require: encrypted, with any certificate/),
    ]);
  });

  it('names the variable of a fault', () => {
    expect(faults({ DATABASE_URL: 'postgres://gate@db.example.com/gate?sslmode=no' })).toEqual([
      expect.stringMatching(/^DATABASE_URL: sslmode must be one of /),
    ]);
  });

  it('rejects PGSSLMODE with a URL without sslmode', () => {
    const more = { PGSSLMODE: 'no-verify' };
    expect(faults({ ...more, DATABASE_URL: 'postgres://gate@db.example.com/gate' })).toEqual([
      'DATABASE_URL: PGSSLMODE is not read: write sslmode in the URL',
    ]);
    expect(faults({ ...more, DATABASE_URL })).toEqual([]);
  });
});

describe('loadSettings: proxies', () => {
  it.each(['HTTPS_PROXY', 'https_proxy'])('rejects an invalid proxy URL in %s, without its value', (name) => {
    const found = faults({ [name]: 'socks5://u:s3cret@proxy.corp' });
    expect(found).toEqual([expect.stringMatching(/^HTTPS_PROXY: must be the http:\/\/ or https:\/\/ URL/)]);
    expect(found.join()).not.toContain('s3cret');
  });

  it('disables the proxy for an empty lower-case variable', () => {
    const settings = loadSettings({ ...REQUIRED, https_proxy: '', http_proxy: '', no_proxy: '' });
    expect(settings.outbound).toBeUndefined();
    expect(settings.notices).toEqual([]);
  });
});
