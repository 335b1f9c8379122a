/** `mcp-gate doctor` as an operator runs it: output, absence of secrets, and agreement with the server. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { createApp } from '../src/create-app.js';
import { examine, examineTheStart } from '../src/cli/doctor/examine.js';
import type { Line, Report } from '../src/cli/doctor/report.js';
import {
  FORM,
  IDENTITY,
  ISSUER_AND_AUDIENCE,
  SIGNATURE,
  soon,
  TIMES,
  TYPE,
  usualClaims,
  usualHeader,
  type TokenCase,
  type World,
} from './cases/bad-tokens.js';
import { forge, forgeHmac } from './cases/forge.js';
import { PROVIDERS } from './cases/provider-tokens.js';
import {
  freePort,
  Gate,
  gateEnv,
  identityFile,
  temporaryFolder,
  writePolicy,
  type Answer,
} from './support/gate.js';
import { answerJson, IntrospectionEndpoint } from './support/introspection-endpoint.js';
import { makeKey, TestIssuer, type Claims } from './support/issuer.js';
import { ProbeModule } from './support/probe.tools.js';
import { runProgram } from './support/server-process.js';

type Env = Record<string, string | undefined>;

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output without line breaks and indentation. */
  readonly words: string;
}

const METADATA = '/.well-known/oauth-authorization-server';
const THUMBPRINT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I';

const folder = temporaryFolder();
let issuer: TestIssuer;
let attacker: TestIssuer;
let gate: Gate;
let world: World;
/** Variables of the running gateway. */
let env: Env;

beforeAll(async () => {
  [issuer, attacker] = await Promise.all([TestIssuer.start(), TestIssuer.start()]);
  const key = issuer.key;
  const rsa = await makeKey('key-rsa', 'RS256');
  issuer.keys.push(rsa);
  const port = String(await freePort());
  gate = await Gate.start({
    issuer,
    imports: [ProbeModule],
    database: false,
    env: { PORT: port, AUTH_ALGORITHMS: 'ES256' },
  });
  world = { issuer, attacker, key, rsa, resource: gate.url };
  env = { ...gateEnv(issuer.url, Number(port), folder.path), AUTH_ALGORITHMS: 'ES256' };
}, 120_000);
afterEach(() => {
  issuer.overrides.clear();
  issuer.scripts.clear();
  issuer.failing = undefined;
});
afterAll(async () => {
  await gate.close();
  await Promise.all([issuer.stop(), attacker.stop()]);
  folder.remove();
});

/** Runs `mcp-gate doctor ARGS` in an empty folder. */
async function doctor(args: readonly string[], variables: Env = env, stdin = ''): Promise<Run> {
  const { code, out, err } = await runProgram('cli/mcp-gate.js', {
    args: ['doctor', ...args],
    cwd: folder.path,
    env: variables,
    input: stdin,
  });
  const seen = { stdout: out, stderr: err };
  if (seen.stdout === '' && seen.stderr !== '' && args.includes('--json')) throw new Error(seen.stderr);
  return { code, ...seen, words: seen.stdout.replace(/\s+/g, ' ') };
}

/** The variables with an `IDENTITY_FILE` that has only this issuer. */
function named(entry: object, file: object = {}): Env {
  const path = identityFile(folder.path, { issuers: [entry], ...file });
  return { ...env, AUTH_ISSUER: undefined, AUTH_ALGORITHMS: undefined, IDENTITY_FILE: path };
}

const askAbout = (token: string, variables: Env = env) => doctor(['-'], variables, `${token}\n`);

function token(claims: Claims = {}, header: Claims = {}, key = world.key): string {
  return forge(
    { header: { ...usualHeader(world), ...header }, claims: { ...usualClaims(world), ...claims } },
    key,
  );
}

function expectNothingOf(secret: string, { stdout, stderr }: Pick<Run, 'stdout' | 'stderr'>): void {
  const parts = secret.split('.').filter((part) => part.length > 8);
  for (const part of [secret, ...parts]) expect(stdout + stderr).not.toContain(part);
}

const reasonOf = ({ body }: Answer): string | null => body?.error?.data?.reason ?? null;
const linesOf = (report: Report): Line[] => report.sections.flatMap(({ lines = [] }) => lines);
const line = (report: Report, name: string) => linesOf(report).find((one) => one.name === name);
const examined = (text: string, variables: Env = env) => examine(variables, { token: text, removed: [] });

describe('doctor with a valid token', () => {
  it.each<[string, (good: string) => [string[], string?]]>([
    ['from stdin', (good) => [['-'], `${good}\n`]],
    ['as an argument', (good) => [[good]]],
    ['with its authentication scheme', (good) => [['Bearer', good]]],
    ['as a quoted header', (good) => [['-'], `"Authorization: Bearer ${good}"`]],
    [
      'inside a token endpoint response',
      (good) => [['-'], JSON.stringify({ access_token: good, expires_in: 300 })],
    ],
    ['broken into lines', (good) => [['-'], good.replace(/.{60}/g, '$&\r\n  ')]],
  ])('accepts a token passed %s, exits with 0 and prints the accepted identity', async (_how, arrange) => {
    const good = token({
      roles: ['developer'],
      acr: 'mfa',
      auth_time: soon(-120),
      act: { sub: 'helper' },
      tenant: 't1',
    });
    const [args, stdin] = arrange(good);
    const run = await doctor(args, env, stdin);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toMatch(/^ {2}kind +human$/m);
    expect(run.stdout).toMatch(/^ {2}client +"agent"$/m);
    expect(run.stdout).toMatch(/^ {2}tenant +"t1"$/m);
    expect(run.stdout).toMatch(/^ {2}scopes +"probe"$/m);
    expect(run.stdout).toMatch(/^ {2}roles +"developer"$/m);
    expect(run.stdout).toMatch(/^ {2}delegation +human → agent → client$/m);
    expect(run.stdout).toMatch(/^ {2}acr +"mfa"$/m);
    expect(run.stdout).toMatch(/^ {2}logged in +2 min( \d s)? ago$/m);
    expect(run.stdout).not.toMatch(/fail |not checked/);
    expect(run.words).toContain('Verdict: good');
    // The output contains no personal identifiers.
    expect(run.stdout).not.toMatch(/alice|helper|token-1/);
    expectNothingOf(good, run);
  });

  it('reports pasted extra characters, because the server rejects a token with them', async () => {
    const run = await doctor(['-'], env, `'${token()}'`);
    expect(run.words).toContain(
      'removed before the checks: quotes. The server rejects a request that contains them',
    );
  });

  it('prints the same checks as JSON', async () => {
    const good = token();
    const run = await doctor(['--json', '-'], env, good);
    const report = JSON.parse(run.stdout) as Report;
    expect(report).toMatchObject({ good: true, reason: null, verdict: expect.stringContaining('good') });
    expect(linesOf(report).map(({ name, state }) => `${name} ${state}`)).toEqual(
      [
        'form',
        'issuer',
        'algorithm',
        'type',
        'signature',
        'audience',
        'times',
        'kind',
        'lifetime',
        'claims',
        'binding',
      ].map((name) => `${name} ok`),
    );
    expectNothingOf(good, run);
  });
});

/** One token for each check, with the advice that the doctor must print. */
const FAILURES: readonly (readonly [
  reason: string,
  check: string,
  bad: () => string,
  words: () => readonly string[],
])[] = [
  ['token_malformed', 'form', () => 'ya29.a0AfH6SMBxOpaqueTokenOfGoogle', () => ['Google', 'opaque']],
  ['request_malformed', 'form', () => `${token()}%0a`, () => ['Copy it again']],
  ['token_malformed', 'form', () => token().slice(0, -1), () => ['not a whole one']],
  [
    'token_issuer',
    'issuer',
    () => token({ iss: `${issuer.url}/` }),
    () => ['slash at the end', `AUTH_ISSUER=${issuer.url}/`],
  ],
  [
    'token_algorithm',
    'algorithm',
    () => token({}, { alg: 'RS256', kid: 'key-rsa' }, world.rsa),
    () => ['AUTH_ALGORITHMS=ES256,RS256'],
  ],
  [
    'token_algorithm',
    'algorithm',
    () => forgeHmac({ header: { alg: 'HS256', typ: 'at+jwt' }, claims: usualClaims(world) }, 'k'),
    () => ['shared secret'],
  ],
  ['token_type', 'type', () => token({}, { typ: 'JWT' }), () => ['AUTH_PRESET', 'AUTH_TOKEN_TYPES']],
  [
    'token_signature',
    'signature',
    () => token({}, { kid: 'key-of-yesterday' }),
    () => ['"key-of-yesterday"', '"key-1", "key-rsa"'],
  ],
  ['token_signature', 'signature', () => token({}, {}, attacker.key), () => ['changed after it was signed']],
  [
    'token_audience',
    'audience',
    () => token({ aud: 'https://other.example' }),
    () => ['https://other.example', gate.url, 'RFC 8707'],
  ],
  ['token_expired', 'times', () => token({ iat: soon(-400), exp: soon(-60) }), () => ['expired', 'NTP']],
  [
    'token_not_yet_valid',
    'times',
    () => token({ iat: soon(90), exp: soon(300) }),
    () => ['clock of this machine is behind'],
  ],
  ['token_type', 'kind', () => token({ nonce: 'n' }), () => ['ID token', 'access_token of the same answer']],
  ['token_lifetime', 'lifetime', () => token({ exp: soon(86_400) }), () => ['86400 seconds', '3600']],
  ['token_claims', 'claims', () => token({ sub: undefined }), () => ['sub']],
  ['token_binding', 'binding', () => token({ cnf: { kid: 'x' } }), () => ['cannot check']],
  [
    'token_binding',
    'binding',
    () => token({ cnf: { 'x5t#S256': THUMBPRINT } }),
    () => ['TLS_CLIENT_CA_FILE'],
  ],
];

describe('doctor with an invalid token', () => {
  it.each(FAILURES)(
    'reports %s at the check %s, exits with 1 and prints advice',
    async (reason, check, bad, words) => {
      const text = bad();
      const [run, json] = await Promise.all([askAbout(text), doctor(['--json', text])]);
      expect(run).toMatchObject({ code: 1, stderr: '' });
      expect(run.words).toMatch(new RegExp(`fail ${check} ${reason}: `));
      expect(run.words).toMatch(new RegExp(`Verdict: rejected: 40[01] ${reason}, `));
      for (const word of words()) expect(run.words).toContain(word);
      expectNothingOf(text, run);
      expectNothingOf(text, json);
      expect(json.code).toBe(1);
      expect((JSON.parse(json.stdout) as Report).reason).toBe(reason);
      expect(reasonOf(await gate.callTool(text, 'echo', { text: 'hello' }))).toBe(reason);
    },
  );

  it('continues after a failed check and reports every fault in one run', async () => {
    const report = await examined(token({ aud: 'x', exp: soon(86_400), sub: undefined }, { typ: 'JWT' }));
    const failing = linesOf(report).filter(({ state }) => state === 'fail');
    expect(failing.map(({ name }) => name)).toEqual(['type', 'audience', 'lifetime', 'claims']);
    expect(report.reason).toBe('token_type');
  });

  it('checks a token of an unknown issuer without trying a key', async () => {
    const report = await examined(token({ iss: attacker.url, aud: 'x' }, {}, attacker.key));
    expect(line(report, 'issuer')).toMatchObject({ state: 'fail', advice: { rule: 'host-alias' } });
    expect(line(report, 'signature')).toMatchObject({ state: 'not checked' });
    expect(line(report, 'audience')).toMatchObject({ state: 'fail' });
  });

  it('prints one piece of advice once when one mistake fails two checks', async () => {
    const report = await examined(token({ aud: 'agent', nonce: 'n', client_id: undefined, azp: 'agent' }));
    const advised = linesOf(report).filter(({ advice }) => advice?.rule === 'id-token');
    expect(advised.map(({ name }) => name)).toEqual(['audience']);
    expect(line(report, 'kind')).toMatchObject({ state: 'fail', reason: 'token_type' });
  });

  it('prints token contents without control characters', async () => {
    const hostile = '\u001b[2J\u202e\r\nVerdict: good';
    const run = await askAbout(token({ aud: [hostile], [hostile]: 1, client_id: hostile }, { typ: hostile }));
    expect(run.code).toBe(1);
    expect(run.stdout.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
    expect(run.stdout).not.toMatch(/^Verdict: good/m);
  });
});

describe('agreement of the doctor with the server', () => {
  const cases: readonly TokenCase[] = [
    ...FORM,
    ...SIGNATURE,
    ...TYPE,
    ...ISSUER_AND_AUDIENCE,
    ...TIMES,
    ...IDENTITY,
  ];

  it('agrees on every token case of the server tests', async () => {
    const examineCase = async (one: TokenCase) => {
      const text = one.token(world);
      const [report, answer] = await Promise.all([
        examined(text),
        gate.callTool(text, 'echo', { text: 'hello' }),
      ]);
      // The doctor cannot prove possession of the client's key. It reports this and checks the rest.
      const lacksProof = report.verdict.includes('a DPoP proof');
      return { name: one.name, report, lacksProof, server: reasonOf(answer) };
    };
    const results: Awaited<ReturnType<typeof examineCase>>[] = [];
    // Each examination starts an application. The batches of 20 prevent time-outs.
    for (let at = 0; at < cases.length; at += 20) {
      results.push(...(await Promise.all(cases.slice(at, at + 20).map(examineCase))));
    }
    expect(results.length).toBeGreaterThan(200);
    for (const { name, report, lacksProof, server } of results) {
      expect({ name, reason: lacksProof ? 'token_binding' : report.reason }).toEqual({
        name,
        reason: server,
      });
      expect(report.good).toBe(server === null || lacksProof);
      expect(report.verdict).not.toContain('bug');
    }
    expect(results.filter(({ lacksProof }) => lacksProof).map(({ name }) => name)).toEqual([
      'bound to a DPoP key',
    ]);
  }, 60_000);

  it.each(PROVIDERS)(
    'agrees on tokens in the shape of $preset',
    async ({ preset, alg, issuerPath, audience, cases: shapes }) => {
      const provider = await TestIssuer.start();
      provider.keys.splice(0, 1, await makeKey('provider-key', alg));
      const iss = provider.url + issuerPath;
      const entry = { issuer: iss, preset, audience, algorithms: [alg], jwks_uri: `${provider.url}/jwks` };
      for (const { name, header, claims, expected, settings } of shapes) {
        const times = { iat: soon(0), exp: soon(300) };
        const made = forge(
          { header: { alg, kid: 'provider-key', ...header }, claims: { iss, ...times, ...claims } },
          provider.key,
        );
        const report = await examined(made, named({ ...entry, ...settings }));
        const refused = typeof expected === 'string' && expected.startsWith('token_') ? expected : null;
        const lacksProof = report.verdict.includes('a DPoP proof');
        expect({ name, reason: lacksProof ? 'token_binding' : report.reason }).toEqual({
          name,
          reason: refused,
        });
        expect(report.verdict).not.toContain('bug');
        if (expected === 'human_required') expect(line(report, 'workload')).toMatchObject({ state: 'warn' });
      }
      await provider.stop();
    },
  );
});

describe('doctor with bound tokens and configured claims', () => {
  const identity = (entry: object, file: object = {}) =>
    named({ issuer: issuer.url, algorithms: ['ES256'], ...entry }, file);

  it('accepts a DPoP-bound token and names the required proof', async () => {
    const run = await askAbout(token({ cnf: { jkt: THUMBPRINT } }));
    expect(run.code).toBe(0);
    expect(run.words).toContain('bound to a key: the client must send a proof');
    expect(run.words).toContain('without that proof, or with the Bearer scheme (token_binding).');
    expect(run.stdout).toMatch(/^ {2}kind +human$/m);
  });

  it('rejects a DPoP-bound token for its other fault', async () => {
    const report = await examined(token({ cnf: { jkt: THUMBPRINT }, aud: 'x' }));
    expect(report).toMatchObject({ good: false, reason: 'token_audience' });
  });

  it('rejects an unbound token when binding is required', async () => {
    const report = await examined(token(), identity({ dpop: 'required' }));
    expect(report).toMatchObject({ good: false, reason: 'token_binding' });
    expect(line(report, 'binding')?.advice).toMatchObject({
      rule: 'dpop-required',
      serverFix: expect.stringContaining('IDENTITY_FILE'),
    });
  });

  it('accepts a certificate-bound token when the gateway receives client certificates', async () => {
    const header = { client_certificate_header: { name: 'Client-Cert' } };
    const variables = { ...identity({ mtls: 'required' }, header), TRUST_PROXY: 'loopback' };
    const report = await examined(token({ cnf: { 'x5t#S256': THUMBPRINT } }), variables);
    expect(report).toMatchObject({ good: true, verdict: expect.stringContaining('the bound certificate') });
    expect(await examined(token(), variables)).toMatchObject({ good: false, reason: 'token_binding' });
  });

  it('names the roles that role_map does not contain', async () => {
    const report = await examined(
      token({ roles: ['0f8fad5b', 'boss'] }),
      identity({ role_map: { boss: 'admin' } }),
    );
    expect(report.good).toBe(true);
    expect(line(report, 'role-map-misses')?.advice?.message).toContain('ignores them: "0f8fad5b".');
    expect(report.sections.at(-1)?.facts).toContainEqual({ name: 'roles', value: '"admin"' });
  });

  it('accepts a workload token and warns that tools can deny it', async () => {
    const report = await examined(token({ sub: 'agent' }));
    expect(report.good).toBe(true);
    expect(line(report, 'workload')?.advice?.message).toContain('human_required');
  });
});

describe('doctor with opaque tokens', () => {
  let opaque: IntrospectionEndpoint;
  beforeAll(async () => void (opaque = await IntrospectionEndpoint.start()));
  afterEach(() => (opaque.behaviour = undefined));
  afterAll(() => opaque.stop());

  function asking(secret = 'a secret'): Env {
    writeFileSync(join(folder.path, 'secret'), secret);
    const introspection = {
      endpoint: opaque.url,
      client_id: 'gate',
      client_secret_file: 'secret',
      cache_seconds: 0,
    };
    return named({ issuer: opaque.issuer, introspection });
  }

  it('accepts an active token and prints the introspection result', async () => {
    const active = opaque.issue({ aud: gate.url, scope: 'probe' });
    const run = await askAbout(active, asking());
    expect(run.code).toBe(0);
    expect(run.words).toContain('the issuer reports: active');
    expect(run.stdout).toMatch(/^ {2}scopes +"probe"$/m);
    expectNothingOf(active, run);
  });

  it.each([
    ['an inactive token', 'not-active', () => 'nobody-knows-this-token', 'token_revoked'],
    ['a token for another server', 'other-audience', () => opaque.issue({ aud: 'x' }), 'token_audience'],
    [
      'a refresh token',
      'not-an-access-token-there',
      () => opaque.issue({ token_type: 'refresh_token' }),
      'token_type',
    ],
    [
      'a token of type DPoP without a key binding',
      'dpop-without-key',
      () => opaque.issue({ token_type: 'DPoP', aud: gate.url }),
      'token_binding',
    ],
    [
      'a token without an expiry',
      'introspection-answer',
      () => opaque.issue({ exp: undefined }),
      'token_claims',
    ],
  ])('rejects %s with the advice %s', async (_what, rule, make, reason) => {
    const made = make();
    const run = await doctor(['--json', made], asking());
    const report = JSON.parse(run.stdout) as Report;
    expect(report).toMatchObject({ good: false, reason });
    expect(report.verdict).not.toContain('bug');
    expect(linesOf(report).find(({ advice }) => advice?.rule === rule)).toBeDefined();
    expectNothingOf(made, run);
  });

  it('sends a JWT only to its own issuer', async () => {
    const before = opaque.calls;
    expect(await examined(token(), asking())).toMatchObject({ good: false, reason: 'token_issuer' });
    expect(opaque.calls).toBe(before);
  });

  it('checks without a token whether the issuer accepts the gateway as introspection client', async () => {
    const good = await examine(asking(), undefined);
    expect(line(good, 'introspection')).toMatchObject({ state: 'ok' });
    const refused = await examine(asking('another secret'), undefined);
    expect(refused.good).toBe(false);
    expect(line(refused, 'introspection')).toMatchObject({
      state: 'fail',
      advice: { rule: 'introspection-client-refused' },
    });
    expect(JSON.stringify(refused)).not.toContain('another secret');
    opaque.behaviour = (response) => answerJson(response, 200, { active: true, exp: soon(300) });
    expect(line(await examine(asking(), undefined), 'introspection')).toMatchObject({
      state: 'fail',
      message: expect.stringContaining('every token would be accepted'),
    });
    opaque.behaviour = (response) => response.writeHead(503).end();
    expect(line(await examine(asking(), undefined), 'introspection')).toMatchObject({ state: 'fail' });
  });
});

describe('doctor --config', () => {
  it('reports a valid configuration: audience, metadata, keys and the running server', async () => {
    const run = await doctor([]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.words).toContain(`clients request tokens for "${gate.url}"`);
    expect(run.words).toContain(`${issuer.url}${METADATA}, for exactly this issuer`);
    expect(run.words).toContain('"key-1" (ES256)');
    expect(run.words).toContain('keys for other algorithms: "key-rsa" (RS256)');
    expect(run.words).toContain('AUTH_ALGORITHMS=ES256,RS256');
    expect(run.words).toContain('a server runs at this address with this resource identifier');
    expect(run.words).toContain('TOOL_ALLOW_LIST=*: every registered tool');
    expect(run.words).toMatch(/warn +PKCE .*warn +registration /);
    expect(await doctor(['--config'])).toMatchObject({ code: 0, stdout: run.stdout });
  });

  it('runs beside the server and changes no file', async () => {
    const before = readdirSync(folder.path);
    await doctor([]);
    await askAbout(token());
    expect(readdirSync(folder.path)).toEqual(before);
    expect(existsSync(join(folder.path, 'audit.jsonl'))).toBe(false);
  });

  it('reports each configuration error in the words of the server', async () => {
    const variables = { PORT: 'eighty', AUTH_ISSUER: 'http://login.example.com', AUTH_AUDIENCE: '' };
    const run = await doctor([], variables);
    expect(run.code).toBe(1);
    for (const fault of [
      'PORT: must be a whole number from 1 to 65535',
      'AUTH_ISSUER: must be an https URL (or http on loopback) without credentials, query or fragment',
      'AUTH_AUDIENCE: is set but empty: give it a value, or leave it out',
      'TOOL_ALLOW_LIST: is required and not set',
    ]) {
      expect(run.words).toContain(`fail ${fault}`);
    }
    expect(run.stdout).not.toMatch(/eighty|login\.example/);
    expect((await askAbout(token(), variables)).code).toBe(1);
  });

  it('names a TLS file that cannot be read', async () => {
    const missing = { TLS_CERT_FILE: '/nowhere.crt', TLS_KEY_FILE: '/nowhere.key' };
    const run = await doctor([], { ...env, ...missing });
    expect(run.code).toBe(1);
    expect(run.words).toContain('TLS_CERT_FILE: the file cannot be read (ENOENT)');
  });

  it('reports an unreachable issuer with and without a token', async () => {
    const down = { ...env, AUTH_ISSUER: `http://127.0.0.1:${await freePort()}` };
    const run = await doctor([], down);
    expect(run.code).toBe(1);
    expect(run.words).toMatch(/fail metadata none: .*ECONNREFUSED/);
    expect(run.words).toContain('No server listens at that address');
    const asked = await askAbout(token({ iss: down.AUTH_ISSUER }), down);
    expect(asked.code).toBe(1);
    expect(asked.words).toMatch(/Verdict: rejected: 503 identity_unavailable/);
    expect(asked.words).toContain('ECONNREFUSED');
  });

  it('names the issuer of foreign metadata and the difference', async () => {
    issuer.overrides.set(METADATA, { issuer: `${issuer.url}/`, jwks_uri: `${issuer.url}/jwks` });
    const report = await examine(env, undefined);
    expect(report.good).toBe(false);
    expect(line(report, 'metadata')).toMatchObject({
      state: 'fail',
      message: expect.stringContaining(`${METADATA}: is the metadata of "${issuer.url}/"`),
      advice: { rule: 'trailing-slash', serverFix: `AUTH_ISSUER=${issuer.url}/` },
    });
  });

  it('accepts missing metadata when AUTH_JWKS_URI is set, and warns about clients', async () => {
    issuer.scripts.set(METADATA, (_request, response) => response.writeHead(404).end());
    const report = await examine({ ...env, AUTH_JWKS_URI: `${issuer.url}/jwks` }, undefined);
    expect(report.good).toBe(true);
    expect(line(report, 'metadata')).toMatchObject({ state: 'warn', advice: { rule: 'not-found' } });
  });

  it.each<[string, (url: string) => void, string, string]>([
    [
      'a redirect',
      () =>
        issuer.scripts.set(METADATA, (_request, response) =>
          response.writeHead(302, { location: '/' }).end(),
        ),
      'metadata',
      'redirected',
    ],
    [
      'an HTML page',
      () => issuer.scripts.set(METADATA, (_request, response) => response.end('<html>')),
      'metadata',
      'not-json',
    ],
    ['trouble', () => (issuer.failing = 500), 'metadata', 'issuer-in-trouble'],
    [
      'a missing key set',
      () => issuer.scripts.set('/jwks', (_request, response) => response.writeHead(404).end()),
      'keys',
      'not-found',
    ],
  ])('identifies %s as the cause', async (_what, arrange, name, rule) => {
    arrange(issuer.url);
    const report = await examine(env, undefined);
    expect(report.good).toBe(false);
    expect(linesOf(report).find((one) => one.name === name && one.state === 'fail')).toMatchObject({
      advice: { rule },
    });
  });

  it('names a demo issuer as the cause with NODE_ENV=production', async () => {
    const document = { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks`, demo_issuer: true };
    issuer.overrides.set(METADATA, document);
    const report = await examine({ ...env, NODE_ENV: 'production' }, undefined);
    expect(report.good).toBe(false);
    expect(linesOf(report).find((one) => one.name === 'metadata')).toMatchObject({
      state: 'fail',
      advice: { rule: 'demo-issuer' },
    });
    expect(line(await examine(env, undefined), 'metadata')).toMatchObject({ state: 'ok' });
  });

  it('names unusable keys and fails only when no usable key is left', async () => {
    const { jwk } = issuer.keys[0]!;
    const secret = { kty: 'oct', kid: 'shared', k: 'a-shared-secret' };
    issuer.overrides.set('/jwks', { keys: [jwk, secret, { kty: 'EC', kid: 'half' }] });
    const report = await examine(env, undefined);
    expect(report.good).toBe(true);
    expect(line(report, 'odd keys')?.message).toMatch(/\(kid \\"shared\\"\) is symmetric; .*half/);
    expect(JSON.stringify(report)).not.toContain('a-shared-secret');
    issuer.overrides.set('/jwks', { keys: [secret] });
    const none = await examine(env, undefined);
    expect(none.good).toBe(false);
  });

  it.each([
    [300, 'behind', 'clock-behind'],
    [-300, 'ahead of', 'clock-ahead'],
  ])('reports a clock offset of %i seconds: %s', async (offset, words, rule) => {
    const document = { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` };
    issuer.scripts.set(METADATA, (_request, response) => {
      response.setHeader('date', new Date(Date.now() + offset * 1000).toUTCString());
      response.end(JSON.stringify(document));
    });
    const clock = line(await examine(env, undefined), 'clock');
    expect(clock).toMatchObject({
      state: 'warn',
      message: expect.stringContaining(words),
      advice: { rule },
    });
    // The `Date` header has a resolution of one second.
    expect(clock?.message).toMatch(/(5 min|4 min 59 s|5 min 1 s) /);
  });

  it("reports the issuer's support for PKCE, registration, scopes and DPoP", async () => {
    const document = {
      issuer: issuer.url,
      jwks_uri: `${issuer.url}/jwks`,
      authorization_endpoint: `${issuer.url}/authorize`,
      token_endpoint: `${issuer.url}/token`,
      code_challenge_methods_supported: ['plain', 'S256'],
      client_id_metadata_document_supported: true,
      dpop_signing_alg_values_supported: ['ES256'],
      scopes_supported: ['openid'],
    };
    issuer.overrides.set(METADATA, document);
    const variables = named({ issuer: issuer.url, dpop: 'required' });
    const report = await examine(variables, undefined);
    for (const name of ['login', 'PKCE', 'registration', 'DPoP']) {
      expect(line(report, name)).toMatchObject({ state: 'ok' });
    }
    expect(line(report, 'scopes')).toMatchObject({
      state: 'warn',
      advice: { rule: 'scope-unknown' },
    });
    issuer.overrides.set(METADATA, { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` });
    const bare = await examine(variables, undefined);
    for (const name of ['login', 'PKCE', 'registration', 'DPoP']) {
      expect(line(bare, name)).toMatchObject({ state: 'warn' });
    }
  });

  it.each<[string | undefined, string, string]>([
    [undefined, 'ok', 'CHALLENGE_SCOPES=allowed: a first login requests every scope'],
    ['minimal', 'ok', 'CHALLENGE_SCOPES=minimal: a first login requests only the scopes of'],
    ['db.read, db.write', 'ok', 'a first login requests "db.read"'],
  ])('reports the scopes of the first challenge (CHALLENGE_SCOPES: %s)', async (setting, state, message) => {
    const report = await examine({ ...env, CHALLENGE_SCOPES: setting }, undefined);
    expect(line(report, 'challenge')).toMatchObject({ state, message: expect.stringContaining(message) });
  });

  it('reports a difference between CHALLENGE_SCOPES and the scopes of the running server', async () => {
    const report = await examine({ ...env, CHALLENGE_SCOPES: 'other.scope' }, undefined);
    expect(linesOf(report)).toContainEqual({
      name: 'challenge',
      state: 'warn',
      message: expect.stringContaining('requests other scopes than CHALLENGE_SCOPES names') as string,
    });
  });

  it('distinguishes an untrusted certificate from an unreachable issuer', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }]);
    const { createServer: createTls } = await import('node:https');
    const server = createTls({ cert, key });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const report = await examine({ ...env, AUTH_ISSUER: url }, undefined);
    expect(line(report, 'metadata')).toMatchObject({
      state: 'fail',
      advice: { rule: 'certificate-unknown', serverFix: expect.stringContaining('NODE_EXTRA_CA_CERTS') },
    });
    await new Promise((resolve) => server.close(resolve));
  });

  it('recognizes a different server at the configured address', async () => {
    const other = createServer((_request, response) =>
      response.end('{"resource":"https://other.example/mcp"}'),
    );
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const report = await examine({ ...env, PORT: String(port) }, undefined);
    expect(line(report, 'running')).toMatchObject({
      state: 'warn',
      message: expect.stringContaining('https://other.example/mcp'),
    });
    other.closeAllConnections();
    await new Promise((resolve) => other.close(resolve));
  });
});

describe('doctor --start', () => {
  /** Faults that prevent startup and that the variables alone do not show. */
  const STOPPED: readonly (readonly [string, name: string, message: RegExp, arrange: () => Env])[] = [
    [
      'an unknown name on the allow-list',
      'names',
      /^TOOL_ALLOW_LIST: .*red_customer/,
      () => ({ TOOL_ALLOW_LIST: 'red_customer' }),
    ],
    [
      'a POLICY_DIR that does not exist',
      'policy',
      /POLICY_DIR/,
      () => ({ POLICY_DIR: join(folder.path, 'no-such-folder') }),
    ],
    [
      'a policy about an unknown tool',
      'policy',
      /no_such_tool/,
      () => policy({ 'policy.yaml': 'allow_list: [no_such_tool]\n' }),
    ],
    [
      'a condition that cannot be parsed',
      'policy',
      /hours\.cedar/,
      () => policy({ 'policy.yaml': 'author: dora\n', 'hours.cedar': 'forbid (' }),
    ],
    ['pins that are not JSON', 'upstreams', /is not a JSON object/, () => upstreams('{')],
    [
      'pins that were changed by hand',
      'upstreams',
      /differs from its sha256/,
      () =>
        upstreams(
          JSON.stringify({
            version: 1,
            upstreams: {
              files: { read: { sha256: '0', definition: { name: 'read', inputSchema: { type: 'object' } } } },
            },
          }),
        ),
    ],
    [
      'an invalid audit key',
      'audit key',
      /is not a private key in PEM/,
      () => ({ AUDIT_KEY_FILE: written('audit.pem', 'no key') }),
    ],
    [
      'an audit key that does not exist',
      'audit key',
      /cannot be read \(ENOENT\)/,
      () => ({ AUDIT_KEY_FILE: join(folder.path, 'no-such.pem') }),
    ],
    [
      'an invalid certificate',
      'TLS',
      /^TLS_CERT_FILE: /,
      () => ({ TLS_CERT_FILE: written('a.crt', 'x'), TLS_KEY_FILE: written('a.key', 'y') }),
    ],
  ];

  const written = (name: string, text: string) => {
    const path = join(folder.path, name);
    writeFileSync(path, text);
    return path;
  };
  const policy = (files: Record<string, string>): Env => ({
    POLICY_DIR: writePolicy(join(folder.path, 'policy'), files),
  });
  const upstreams = (pins: string): Env => ({
    UPSTREAMS_FILE: written(
      'upstreams.yaml',
      JSON.stringify({
        upstreams: [
          { name: 'files', command: ['node', 'server.js'], tools: [{ match: '*', scopes: 'read' }] },
        ],
      }),
    ),
    UPSTREAM_PINS_FILE: written('pins.json', pins),
  });
  const lineOf = (report: Report, name: string) =>
    report.sections[0]?.lines?.find((one) => one.name === name && one.state === 'fail');

  it.each(STOPPED)(
    'reports %s in the words of the server, which does not start',
    async (_what, name, message, arrange) => {
      const variables = { ...env, ...arrange(), PORT: String(await freePort()) };
      const report = await examineTheStart(variables);
      expect(report).toMatchObject({
        good: false,
        verdict: expect.stringMatching(/^the server does not start/),
      });
      expect(lineOf(report, name)?.message).toMatch(message);
      const whole = await examine(variables, undefined);
      expect(whole.good).toBe(false);
      expect(lineOf(whole, name)).toEqual(lineOf(report, name));
      await expect(createApp({ ...variables, DATA_DIR: join(folder.path, 'data') })).rejects.toThrow();
    },
    60_000,
  );

  it('accepts a startable configuration without a reachable issuer and creates no file', async () => {
    const before = readdirSync(folder.path);
    const variables = {
      ...env,
      ...upstreams('{"version":1,"upstreams":{}}'),
      ...policy({ 'policy.yaml': 'author: dora\n' }),
      AUTH_ISSUER: `http://127.0.0.1:${await freePort()}`,
    };
    const made = readdirSync(folder.path);
    const run = await doctor(['--start'], variables);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.words).toContain('Verdict: the server would start');
    expect(run.words).toContain('The upstream files has no accepted definitions');
    expect(readdirSync(folder.path)).toEqual(made);
    expect(made).toEqual(expect.arrayContaining(before));
  }, 60_000);

  it('reports a damaged audit key and does not replace it', async () => {
    const data = join(folder.path, 'damaged');
    mkdirSync(data);
    writeFileSync(join(data, 'audit-key.pem'), '');
    const report = await examineTheStart({ ...env, DATA_DIR: data });
    expect(report).toMatchObject({ good: true });
    expect(line(report, 'audit key')).toMatchObject({ state: 'warn' });
    expect(readdirSync(data)).toEqual(['audit-key.pem']);
    writeFileSync(join(data, 'audit.jsonl'), '{}\n');
    expect(await examineTheStart({ ...env, DATA_DIR: data })).toMatchObject({ good: false });
  });

  it('reports faults of .env and of the variables as the server does', async () => {
    const missing = await doctor(['--start', '--json'], { ...env, TOOL_ALLOW_LIST: undefined });
    expect(missing.code).toBe(1);
    expect(missing.words).toContain('TOOL_ALLOW_LIST: is required and not set');
    const file = written('.env', 'POLICY_DIR=a\nthis is no line\n');
    const run = await doctor(['--start'], env);
    rmSync(file);
    expect(run.code).toBe(1);
    expect(run.words).toMatch(/fail \.env: line 2/);
  });
});

describe('doctor with a mistaken address', () => {
  it('names the issuer when AUTH_ISSUER is a metadata address', async () => {
    for (const path of [METADATA, '/.well-known/openid-configuration']) {
      issuer.overrides.set(path, { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` });
      const report = await examine({ ...env, AUTH_ISSUER: issuer.url + path }, undefined);
      expect(report.good).toBe(false);
      expect(line(report, 'metadata')).toMatchObject({
        state: 'fail',
        advice: { rule: 'well-known-address', serverFix: `AUTH_ISSUER=${issuer.url}` },
      });
    }
    const gone = `http://127.0.0.1:${await freePort()}`;
    const report = await examine({ ...env, AUTH_ISSUER: `${gone}${METADATA}/realms/demo` }, undefined);
    expect(line(report, 'metadata')?.advice?.serverFix).toBe(`Probably AUTH_ISSUER=${gone}/realms/demo.`);
  });

  it('recognizes a metadata address in AUTH_JWKS_URI', async () => {
    const report = await examine({ ...env, AUTH_JWKS_URI: issuer.url + METADATA }, undefined);
    const keys = linesOf(report).find(({ name, state }) => name === 'keys' && state === 'fail');
    expect(keys).toMatchObject({ advice: { rule: 'keys-at-metadata' } });
  });

  it.each(['http://localhost:PORT/mcp', 'http://[::1]:PORT/mcp', 'http://127.0.0.1:PORT/mcp/'])(
    'warns about the audience %s beside a PUBLIC_URL with 127.0.0.1',
    async (audience) => {
      const named = audience.replace('PORT', env.PORT as string);
      const report = await examine({ ...env, AUTH_AUDIENCE: named }, undefined);
      expect(line(report, 'audience')).toMatchObject({
        state: 'warn',
        advice: { rule: 'audience-nearly' },
      });
      const both = await examine({ ...env, AUTH_AUDIENCE: `${named},${gate.url}` }, undefined);
      expect(line(both, 'audience')).toMatchObject({ state: 'ok' });
    },
  );
});

describe('doctor usage', () => {
  it.each<[string, string[]]>([
    ['an unknown option', ['--tokn=eyJhbGciOiJSUzI1NiJ9']],
    ['two tokens', ['eyJhbGciOiJSUzI1NiJ9', 'eyJhbGciOiJFUzI1NiJ9']],
    ['a token and --config', ['--config', 'eyJhbGciOiJSUzI1NiJ9']],
    ['a token and --start', ['--start', 'eyJhbGciOiJSUzI1NiJ9']],
    ['--start and --config', ['--start', '--config']],
    ['a token and stdin', ['-', 'eyJhbGciOiJSUzI1NiJ9']],
    ['empty stdin', ['-']],
  ])('rejects %s with exit code 2 and a reference to the help', async (_what, args) => {
    const run = await doctor(args);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toContain('\nHelp: mcp-gate doctor --help\n');
    // The mistaken option can be a token.
    expect(run.stderr).not.toContain('eyJ');
  });

  it('prints the help without a configuration', async () => {
    const run = await doctor(['--help'], {});
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain('1  the token is rejected, or the configuration has an error');
  });
});
