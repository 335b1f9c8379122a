/**
 * Shared signals: an event revokes the tokens of its user at every instance, within the transmitter's configuration.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { databaseBackends, type TestDatabase } from './support/database.js';
import { Gate, temporaryFolder, type Answer } from './support/gate.js';
import { makeKey, TestIssuer, type Claims } from './support/issuer.js';
import { ProbeModule, Runs } from './support/probe.tools.js';
import { Relay } from './support/relay.js';
import { until } from './support/remote.js';

const postgres = databaseBackends().find(({ name }) => name === 'postgres');

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';
const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/';
const EVENTS = [
  'session-revoked',
  'token-claims-change',
  'credential-change',
  'assurance-level-change',
  'account-disabled',
  'account-purged',
  'account-credential-change-required',
  'credential-compromise',
  'sessions-revoked',
];
const SECRET = 'Bearer what-the-transmitter-was-given-0123456789';
const AUDIENCE = 'https://gate.example.com/signals';
const TYPE = 'application/secevent+jwt';

const seconds = () => Math.floor(Date.now() / 1000);
let serial = 0;

type Mint = Parameters<TestIssuer['mint']>[2];

/** A security event token with these claims in addition to the default ones; undefined removes a claim. */
function setOf(transmitter: TestIssuer, claims: Claims, options: Mint = {}): Promise<string> {
  return transmitter.mint(
    AUDIENCE,
    { sub: undefined, client_id: undefined, exp: undefined, jti: `set-${++serial}`, ...claims },
    { ...options, header: { typ: 'secevent+jwt', ...options.header } },
  );
}

function push(gate: Gate, body: string, headers: Record<string, string | undefined> = {}): Promise<Answer> {
  const all = { 'content-type': TYPE, authorization: SECRET, ...headers };
  const given = Object.entries(all).filter((one): one is [string, string] => one[1] !== undefined);
  return gate.get('/signals/events', { method: 'POST', headers: Object.fromEntries(given), body });
}

function signalsFile(folder: string, transmitters: readonly object[]): string {
  writeFileSync(join(folder, 'secret'), `${SECRET}\n`);
  const path = join(folder, 'signals.yaml');
  writeFileSync(path, JSON.stringify({ transmitters }));
  return path;
}

const entryOf = (transmitter: TestIssuer, subjectIssuer: TestIssuer, more: object = {}) => ({
  issuer: transmitter.url,
  audience: AUDIENCE,
  jwks_uri: `${transmitter.url}/jwks`,
  authorization_file: 'secret',
  subject_issuer: subjectIssuer.url,
  events: EVENTS,
  ...more,
});

const call = (gate: Gate, token: string) => gate.callTool(token, 'echo', { text: 'x' });
const changes = (gate: Gate, what: string) =>
  gate.wholeAuditLog().flatMap(({ change }) => (change?.what === what ? [change] : []));

(postgres ? describe : describe.skip)('shared signals with two instances', () => {
  let issuer: TestIssuer;
  let other: TestIssuer;
  let transmitter: TestIssuer;
  let discovered: TestIssuer;
  let database: TestDatabase;
  let gates: readonly [Gate, Gate];
  const folder = temporaryFolder();

  beforeAll(async () => {
    const starting = Array.from({ length: 4 }, () => TestIssuer.start());
    [issuer, other, transmitter, discovered] = (await Promise.all(starting)) as [
      TestIssuer,
      TestIssuer,
      TestIssuer,
      TestIssuer,
    ];
    discovered.overrides.set('/.well-known/ssf-configuration', {
      issuer: discovered.url,
      jwks_uri: `${discovered.url}/jwks`,
    });
    database = (await postgres?.open()) as TestDatabase;
    const signals = signalsFile(folder.path, [
      entryOf(transmitter, issuer, { email_is_subject: true }),
      {
        ...entryOf(discovered, other, {
          events: ['session-revoked'],
          rate_limit_per_minute: 3,
          allow_without_authorization: true,
        }),
        jwks_uri: undefined,
        authorization_file: undefined,
      },
      // An issuer that is also a transmitter, with the same keys for tokens and events.
      entryOf(issuer, issuer),
    ]);
    const start = () =>
      Gate.start({
        issuer,
        imports: [ProbeModule],
        identity: {
          issuers: [issuer, other].map(({ url }) => ({ issuer: url, audience: 'urn:gate' })),
        },
        env: {
          DATABASE_URL: database.settings.databaseUrl,
          RATE_LIMIT_PER_MINUTE: '0',
          SIGNALS_FILE: signals,
        },
      });
    gates = [await start(), await start()];
  });
  afterAll(async () => {
    await Promise.all(gates.map((gate) => gate.close()));
    await Promise.all([issuer, other, transmitter, discovered].map((one) => one.stop()));
    await database.cleanup();
    folder.remove();
  });

  const mint = (claims: object, by = issuer) => by.mint('urn:gate', { scope: 'probe', ...claims });
  const person = (sub: string) => ({ format: 'iss_sub', iss: issuer.url, sub });
  const told = (answer: Answer) => [answer.status, answer.body?.err];

  it.each([
    [`${CAEP}session-revoked`, { initiating_entity: 'policy' }],
    [`${CAEP}token-claims-change`, { claims: { role: 'none' } }],
    [`${CAEP}credential-change`, { credential_type: 'password', change_type: 'update' }],
    [`${CAEP}assurance-level-change`, { current_level: 'nist-aal1', change_direction: 'decrease' }],
    [`${RISC}account-disabled`, { reason: 'hijacking' }],
    [`${RISC}account-purged`, {}],
    [`${RISC}account-credential-change-required`, {}],
    [`${RISC}credential-compromise`, { credential_type: 'password' }],
    [`${RISC}sessions-revoked`, {}],
  ])('revokes only the tokens of that user within a second for %s', async (event, members) => {
    const sub = `victim-${++serial}`;
    const jti = `jti-of-${sub}`;
    const [hit, good] = [await mint({ sub }), await mint({ sub: `${sub}-not` })];
    for (const gate of gates) expect((await call(gate, hit)).status).toBe(200);
    const token = await setOf(transmitter, { jti, sub_id: person(sub), events: { [event]: members } });
    const answer = await push(gates[0], token);
    const started = performance.now();
    expect([answer.status, answer.text]).toEqual([202, '']);
    const first = await call(gates[0], hit);
    expect([first.status, first.body.error.data.reason]).toEqual([401, 'token_revoked']);
    await until(async () => (await call(gates[1], hit)).status === 401, 2_000);
    expect(performance.now() - started).toBeLessThan(1_000);
    for (const gate of gates) expect((await call(gate, good)).status).toBe(200);
    // The receiving instance records the signal, both instances record the revocation.
    const [signal] = changes(gates[0], 'signal').filter((one) => one.jti === jti);
    expect(signal).toMatchObject({ transmitter: transmitter.url, event, action: 'revoked', why: null });
    for (const gate of gates) {
      const revoked = () =>
        changes(gate, 'revocation').find(({ revocation }) => revocation.id === signal.revocations[0]);
      await until(() => revoked() !== undefined);
      expect(revoked()).toMatchObject({
        action: 'revoked',
        by: transmitter.url,
        reason: `${event.split('/').at(-1)} (jti ${jti})`,
        revocation: { kind: 'subject', iss: issuer.url, value: sub },
      });
    }
  });

  it.each<[string, object, object, object]>([
    ['a session with its sid', { format: 'opaque', id: 'sid-1' }, { sid: 'sid-1' }, { sid: 'sid-2' }],
    [
      'the session of a complex subject instead of the user',
      {
        format: 'complex',
        user: { format: 'iss_sub', iss: 'ISSUER', sub: 'carla' },
        session: { format: 'opaque', id: 'sid-3' },
        tenant: { format: 'opaque', id: 't' },
      },
      { sub: 'carla', sid: 'sid-3' },
      { sub: 'carla', sid: 'sid-4' },
    ],
    [
      'the user of a complex subject without a session',
      {
        format: 'complex',
        user: { format: 'iss_sub', iss: 'ISSUER', sub: 'dan' },
        device: { format: 'iss_sub', iss: 'https://mdm.example.com', sub: 'd' },
      },
      { sub: 'dan' },
      { sub: 'daniel' },
    ],
    [
      'an e-mail address as the subject',
      { format: 'email', email: 'ed@example.com' },
      { sub: 'ed@example.com' },
      { sub: 'ed' },
    ],
    ['one token', { format: 'jwt_id', iss: 'ISSUER', jti: 'one' }, { jti: 'one' }, { jti: 'two' }],
  ])('revokes %s for session-revoked', async (_name, subject, hit, spared) => {
    const sub_id = JSON.parse(JSON.stringify(subject).replaceAll('ISSUER', issuer.url)) as object;
    const [revoked, good] = [await mint(hit), await mint(spared)];
    const token = await setOf(transmitter, { sub_id, events: { [`${CAEP}session-revoked`]: {} } });
    expect((await push(gates[0], token)).status).toBe(202);
    expect((await call(gates[0], revoked)).status).toBe(401);
    expect((await call(gates[0], good)).status).toBe(200);
  });

  it('accepts the older location and format of the subject', async () => {
    const victim = await mint({ sub: 'older' });
    const subject = { subject_type: 'iss-sub', iss: issuer.url, sub: 'older' };
    const token = await setOf(transmitter, { events: { [`${RISC}account-disabled`]: { subject } } });
    expect((await push(gates[0], token)).status).toBe(202);
    expect((await call(gates[0], victim)).status).toBe(401);
  });

  it('accepts a token issued after the event', async () => {
    const now = seconds();
    const token = await setOf(transmitter, {
      sub_id: person('frida'),
      events: { [`${CAEP}session-revoked`]: { event_timestamp: now - 10 } },
    });
    expect((await push(gates[0], token)).status).toBe(202);
    const statuses = [];
    for (const iat of [now - 10, now - 9])
      statuses.push((await call(gates[0], await mint({ sub: 'frida', iat }))).status);
    expect(statuses).toEqual([401, 200]);
  });

  it('aborts running calls and closes the open stream of the user', async () => {
    const token = await mint({ sub: 'gina' });
    const { aborted, names } = gates[1].app.nest.get(Runs);
    const running = gates[1].callTool(token, 'wait');
    const listening = gates[1].modern(token, 'subscriptions/listen', {
      notifications: { toolsListChanged: true },
    });
    await until(() => names.includes('wait'));
    const event = { sub_id: person('gina'), events: { [`${RISC}account-disabled`]: {} } };
    expect((await push(gates[0], await setOf(transmitter, event))).status).toBe(202);
    await Promise.all([running, listening]);
    expect(aborted).toContain('wait');
  });

  it('acknowledges a repeated jti at any instance without another effect', async () => {
    const jti = 'once';
    const victim = await mint({ sub: 'hugo' });
    const token = await setOf(transmitter, {
      jti,
      sub_id: person('hugo'),
      events: { [`${RISC}account-disabled`]: {} },
    });
    const answers = await Promise.all([...gates, ...gates].map((gate) => push(gate, token)));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    const signals = () => gates.flatMap((gate) => changes(gate, 'signal')).filter((one) => one.jti === jti);
    await until(() => signals().length === 1);
    // A revocation that the operator withdrew stays withdrawn.
    const root = await mint({ sub: 'root', scope: 'gate.admin', roles: ['gate-admin'] });
    const init = { headers: { authorization: `Bearer ${root}` } };
    const [id] = signals()[0].revocations as [string];
    await gates[0].get(`/admin/revocations/${id}`, { method: 'DELETE', ...init });
    expect((await push(gates[0], token)).status).toBe(202);
    expect((await call(gates[0], victim)).status).toBe(200);
    expect(signals()).toHaveLength(1);
    // The same jti from another transmitter is another token.
    const own = await setOf(issuer, {
      jti,
      sub_id: person('hugo'),
      events: { [`${RISC}account-disabled`]: {} },
    });
    expect((await push(gates[0], own)).status).toBe(202);
    expect((await call(gates[0], victim)).status).toBe(401);
  });

  it.each<[string, Claims, string]>([
    ['an unknown event', { events: { 'https://example.com/new-event': {} } }, 'not known here'],
    ['a verification', { events: { [`${SSF}verification`]: { state: 'x' } } }, 'a verification event'],
    [
      'a paused stream',
      { events: { [`${SSF}stream-updated`]: { status: 'paused' } } },
      'the stream is paused',
    ],
    [
      'an increase of the assurance level',
      { events: { [`${CAEP}assurance-level-change`]: { change_direction: 'increase' } } },
      'the assurance level increased',
    ],
  ])('acknowledges and records %s without a revocation', async (_name, claims, why) => {
    const jti = `nothing-${++serial}`;
    const token = await setOf(transmitter, { jti, sub_id: person('ida'), ...claims });
    expect((await push(gates[0], token)).status).toBe(202);
    const [signal] = changes(gates[0], 'signal').filter((one) => one.jti === jti);
    expect(signal).toMatchObject({ action: 'acknowledged', revocations: [], why });
    expect((await call(gates[0], await mint({ sub: 'ida' }))).status).toBe(200);
  });

  describe('event endpoint', () => {
    const EVENT = { [`${RISC}account-disabled`]: {} };
    const about = () => ({ sub_id: person('kim'), events: EVENT });
    const refusals: [string, string, string, () => Promise<Answer>][] = [
      [
        'another key',
        'invalid_key',
        'token_signature',
        async () =>
          push(gates[0], await setOf(transmitter, about(), { key: await makeKey(transmitter.key.kid) })),
      ],
      [
        'an unknown key',
        'invalid_key',
        'token_signature',
        async () => push(gates[0], await setOf(transmitter, about(), { key: await makeKey('nobody') })),
      ],
      [
        'alg none',
        'invalid_key',
        'token_algorithm',
        async () => {
          const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
          const claims = { iss: transmitter.url, aud: AUDIENCE, iat: seconds(), jti: 'n', ...about() };
          return push(gates[0], `${part({ alg: 'none', typ: 'secevent+jwt' })}.${part(claims)}.`);
        },
      ],
      [
        'another issuer',
        'invalid_issuer',
        'token_issuer',
        async () => push(gates[0], await setOf(transmitter, { ...about(), iss: 'https://evil.example.com' })),
      ],
      [
        'another audience',
        'invalid_audience',
        'token_audience',
        async () => push(gates[0], await setOf(transmitter, { ...about(), aud: ['urn:gate'] })),
      ],
      [
        'another typ',
        'invalid_request',
        'token_type',
        async () => push(gates[0], await setOf(transmitter, about(), { header: { typ: 'JWT' } })),
      ],
      [
        'no typ',
        'invalid_request',
        'token_type',
        async () => push(gates[0], await setOf(transmitter, about(), { header: { typ: undefined } })),
      ],
      [
        'an access token, of an issuer that is also a transmitter',
        'invalid_request',
        'token_type',
        async () => push(gates[0], await issuer.mint(AUDIENCE, { sub: 'kim', ...about() })),
      ],
      [
        // The transmitter requires a secret; without one the delivery could match the transmitter that needs
        // none.
        'no secret',
        'access_denied',
        'token_issuer',
        async () => push(gates[0], await setOf(transmitter, about()), { authorization: undefined }),
      ],
      [
        'an invalid secret',
        'access_denied',
        'token_issuer',
        async () => push(gates[0], await setOf(transmitter, about()), { authorization: `${SECRET}x` }),
      ],
      [
        'the subject of another issuer',
        'access_denied',
        'token_issuer',
        async () =>
          push(
            gates[0],
            await setOf(transmitter, {
              sub_id: { format: 'iss_sub', iss: other.url, sub: 'kim' },
              events: EVENT,
            }),
          ),
      ],
      [
        'an unmapped subject',
        'invalid_request',
        'token_claims',
        async () =>
          push(
            gates[0],
            await setOf(transmitter, {
              sub_id: { format: 'phone_number', phone_number: '+1' },
              events: EVENT,
            }),
          ),
      ],
      [
        'an event in the future',
        'invalid_request',
        'token_not_yet_valid',
        async () =>
          push(
            gates[0],
            await setOf(transmitter, {
              sub_id: person('kim'),
              events: { [`${RISC}account-disabled`]: { event_timestamp: seconds() + 86_400 } },
            }),
          ),
      ],
      [
        'a token without jti',
        'invalid_request',
        'token_claims',
        async () => push(gates[0], await setOf(transmitter, { ...about(), jti: undefined })),
      ],
      [
        'a token without events',
        'invalid_request',
        'token_claims',
        async () => push(gates[0], await setOf(transmitter, { events: undefined })),
      ],
      [
        'a body that is not a token',
        'invalid_request',
        'token_malformed',
        async () => push(gates[0], 'hello'),
      ],
      [
        'another content type',
        'invalid_request',
        'request_malformed',
        async () => push(gates[0], await setOf(transmitter, about()), { 'content-type': 'application/json' }),
      ],
    ];

    it.each(refusals)('rejects %s with the error %s', async (_name, err, reason, deliver) => {
      const before = gates[0].auditLog().length;
      const answer = await deliver();
      expect(told(answer)).toEqual([400, err]);
      expect(Object.keys(answer.body as object)).toEqual(['err', 'description']);
      expect(answer.headers.get('content-type')).toContain('application/json');
      expect(answer.headers.get('content-language')).toBe('en');
      // Outcome records of earlier calls can follow.
      const lines = gates[0]
        .auditLog()
        .slice(before)
        .filter((line) => line.event !== 'outcome');
      expect(lines).toEqual([
        expect.objectContaining({
          event: 'authentication',
          decision: 'deny',
          reason,
          principal: null,
        }),
      ]);
      expect((await call(gates[0], await mint({ sub: 'kim' }))).status).toBe(200);
    });

    it('rejects a body above the size limit before it reads the body', async () => {
      const answer = await push(gates[0], 'x'.repeat(64 * 1024 + 1));
      expect(told(answer)).toEqual([413, 'invalid_request']);
    });

    it('rejects deliveries above the rate limit with Retry-After', async () => {
      const deliver = async () =>
        push(gates[0], await setOf(discovered, { events: { [`${SSF}verification`]: {} } }), {
          authorization: undefined,
        });
      const statuses = [];
      for (let at = 0; at < 3; at++) statuses.push((await deliver()).status);
      const over = await deliver();
      expect([...statuses, over.status]).toEqual([202, 202, 202, 429]);
      expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0);
    });
  });

  it('never accepts an event token as an access token', async () => {
    const claims = { sub: 'kim', client_id: 'agent', exp: seconds() + 300, scope: 'probe' };
    for (const typ of ['secevent+jwt', 'at+jwt']) {
      const token = await setOf(
        issuer,
        { ...claims, aud: 'urn:gate', sub_id: person('kim'), events: { [`${RISC}account-disabled`]: {} } },
        { header: { typ } },
      );
      const answer = await call(gates[0], token);
      expect([answer.status, answer.body.error.data.reason]).toEqual([401, 'token_type']);
    }
  });

  it('serves POST only', async () => {
    expect((await gates[0].get('/signals/events')).status).toBe(404);
  });
});

describe('transmitter with a secret only', () => {
  let gate: Gate;
  let transmitter: TestIssuer;
  const folder = temporaryFolder();

  beforeAll(async () => {
    [transmitter] = [await TestIssuer.start()];
    const issuer = await TestIssuer.start();
    gate = await Gate.start({
      issuer,
      database: false,
      env: {
        REVOCATION_MAX_AGE_SECONDS: '300',
        SIGNALS_FILE: signalsFile(folder.path, [entryOf(transmitter, issuer)]),
      },
    });
  });
  afterAll(async () => {
    await gate.close();
    await gate.issuer.stop();
    await transmitter.stop();
    folder.remove();
  });

  it.each([undefined, 'Bearer wrong', SECRET.slice(0, -1), SECRET.toLowerCase()])(
    'receives authentication_failed for any token with authorization %s',
    async (authorization) => {
      const good = await setOf(transmitter, { events: { [`${SSF}verification`]: {} } });
      for (const token of [good, 'hello']) {
        const answer = await push(gate, token, { authorization });
        expect([answer.status, answer.body.err]).toEqual([400, 'authentication_failed']);
        expect(answer.text).not.toContain('wrong');
      }
    },
  );

  it('receives 503 with Retry-After, and no authentication error, while its keys are unavailable', async () => {
    const away = await TestIssuer.start();
    away.failing = 500;
    const other = await Gate.start({
      issuer: gate.issuer,
      database: false,
      env: {
        REVOCATION_MAX_AGE_SECONDS: '300',
        SIGNALS_FILE: signalsFile(folder.path, [entryOf(away, gate.issuer)]),
      },
    });
    const answer = await push(other, await setOf(away, { events: { [`${SSF}verification`]: {} } }));
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
    expect(other.auditLog().at(-1)).toMatchObject({ reason: 'identity_unavailable' });
    await other.close();
    await away.stop();
  });
});

it('serves no event endpoint without SIGNALS_FILE', async () => {
  const gate = await Gate.start({ database: false });
  expect((await push(gate, 'x')).status).toBe(404);
  await gate.close();
});

(postgres ? it : it.skip)(
  'responds 503 during a database outage and revokes after the delivery is repeated',
  async () => {
    const [transmitter, relay, database, folder] = [
      await TestIssuer.start(),
      await Relay.start(),
      (await postgres?.open()) as TestDatabase,
      temporaryFolder(),
    ];
    const issuer = await TestIssuer.start();
    const gate = await Gate.start({
      issuer,
      imports: [ProbeModule],
      env: {
        DATABASE_URL: relay.urlOf(database.settings.databaseUrl as string),
        AUTH_AUDIENCE: 'urn:gate',
        SIGNALS_FILE: signalsFile(folder.path, [entryOf(transmitter, issuer)]),
      },
    });
    const victim = await issuer.mint('urn:gate', { scope: 'probe', sub: 'leo' });
    expect((await call(gate, victim)).status).toBe(200);
    const token = await setOf(transmitter, {
      sub_id: { format: 'iss_sub', iss: issuer.url, sub: 'leo' },
      events: { [`${RISC}account-disabled`]: {} },
    });
    relay.refuse();
    relay.drop();
    const refused = await push(gate, token);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    expect(changes(gate, 'signal')).toEqual([]);
    relay.accept();
    expect((await push(gate, token)).status).toBe(202);
    expect((await call(gate, victim)).status).toBe(401);
    expect(changes(gate, 'signal')).toHaveLength(1);
    await gate.close();
    await Promise.all([issuer.stop(), transmitter.stop(), relay.stop()]);
    await database.cleanup();
    folder.remove();
  },
);
