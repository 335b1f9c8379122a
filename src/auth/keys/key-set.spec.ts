import { decodeProtectedHeader, errors, exportJWK, jwtVerify, type CryptoKey, type JWK } from 'jose';
import { generateKeyPairSync } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { makeKey, TestIssuer, type SigningKey } from '../../../test/support/issuer.js';
import { CollectedLog, moveWallClock, until } from '../../../test/support/remote.js';
import { IssuerMetadataDocument } from './issuer-metadata-document.js';
import { KeySet, type KeySetOptions } from './key-set.js';

const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const UNAVAILABLE = { code: 'identity_unavailable', status: 503 };
const AN_HOUR = 3_600_000;

let issuer: TestIssuer;
let log: CollectedLog;
let keys: KeySet;

beforeEach(async () => {
  issuer = await TestIssuer.start();
  log = new CollectedLog();
});
afterEach(async () => {
  keys.stop();
  jest.restoreAllMocks();
  await issuer.stop();
});

/** Fetches on demand, unless it is started. */
function open(options: Partial<KeySetOptions> = {}): KeySet {
  keys = new KeySet({
    issuer: issuer.url,
    algorithms: ALGORITHMS,
    uri: () => Promise.resolve(`${issuer.url}/jwks`),
    refreshMs: AN_HOUR,
    maxAgeMs: 2 * AN_HOUR,
    cooldownMs: 50,
    log,
    ...options,
  });
  return keys;
}

const known = () => keys.candidates({ alg: 'ES256', kid: issuer.key.kid });
const unknown = (kid = 'nobody') => keys.candidates({ alg: 'ES256', kid });
const idOf = async (kid: string) => (await keys.candidates({ alg: 'ES256', kid }))[0]?.id as string;
const publish = (...entries: unknown[]) => issuer.overrides.set('/jwks', { keys: entries });
const pass = (milliseconds: number) => {
  const end = performance.now() + milliseconds;
  return until(() => performance.now() > end);
};

async function verifies(token: string): Promise<boolean> {
  for (const key of await keys.candidates(decodeProtectedHeader(token) as { alg: string })) {
    try {
      await jwtVerify(token, (header) => key.key(header), { algorithms: ALGORITHMS });
      return true;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  return false;
}

describe('KeySet', () => {
  it('fetches once for 100 concurrent tokens', async () => {
    open();
    const token = await issuer.mint('audience');
    const verified = await Promise.all(Array.from({ length: 100 }, () => verifies(token)));
    expect(new Set(verified)).toEqual(new Set([true]));
    expect(issuer.jwksFetches).toBe(1);
  });

  it('fetches after start() and follows the issuer in the background', async () => {
    open({ refreshMs: 200 }).start();
    await until(() => keys.status().keys === 1);
    expect(keys.status().state).toBe('fresh');
    issuer.keys.push(await makeKey('key-2'));
    await until(() => keys.status().keys === 2);
  });

  it.each([
    ['in the background', true],
    ['on demand', false],
  ])('rejects a removed key after the refresh interval, %s', async (_name, background) => {
    open({ refreshMs: 400 });
    if (background) keys.start();
    const id = await idOf('key-1');
    expect(keys.hasKey(id)).toBe(true);
    issuer.keys.splice(0, 1, await makeKey('key-2'));
    await pass(400);
    expect(keys.hasKey(id)).toBe(false);
    expect(await unknown('key-1')).toEqual([]);
    expect(keys.hasKey(await idOf('key-2'))).toBe(true);
  });

  it('refreshes after the machine was suspended', async () => {
    open().start();
    const id = await idOf('key-1');
    issuer.keys.splice(0, 1, await makeKey('key-2'));
    moveWallClock(AN_HOUR);
    expect(keys.hasKey(id)).toBe(false);
    expect(await unknown('key-1')).toEqual([]);
  });

  it('keeps the objects of unchanged keys and replaces changed ones', async () => {
    open({ refreshMs: 100 });
    const { jwk } = issuer.key;
    const seen = new Set<unknown>();
    for (const entry of [
      jwk,
      { ...jwk, kid: 'other' },
      { ...jwk, use: undefined },
      { ...jwk, key_ops: ['verify'] },
    ]) {
      publish(entry);
      await pass(100);
      const [key] = await keys.candidates({ alg: 'ES256' });
      seen.add(key?.id);
      await pass(100);
      const fetches = issuer.jwksFetches;
      expect((await keys.candidates({ alg: 'ES256' }))[0]).toBe(key);
      expect(issuer.jwksFetches).toBe(fetches + 1);
    }
    expect(seen.size).toBe(4);
  });

  it('follows a change of jwks_uri in the metadata', async () => {
    const metadata = new IssuerMetadataDocument({
      issuer: issuer.url,
      refreshMs: 100,
      maxAgeMs: AN_HOUR,
      log,
    });
    open({ refreshMs: 100, uri: async () => (await metadata.get()).jwks_uri });
    expect(await known()).toHaveLength(1);
    issuer.keys.splice(0, 1, await makeKey('key-2'));
    issuer.overrides.set('/moved', { keys: [issuer.key.jwk] });
    issuer.overrides.set('/jwks', { keys: [] });
    issuer.overrides.set('/.well-known/oauth-authorization-server', {
      issuer: issuer.url,
      jwks_uri: `${issuer.url}/moved`,
    });
    await pass(100);
    expect(await known()).toHaveLength(1);
    metadata.stop();
  });

  it.each([
    ['no address', undefined],
    ['a list', ['https://h/jwks']],
    ['a file', 'file:///etc/passwd'],
    ['data', 'data:application/json,{"keys":[]}'],
    ['http beyond loopback', 'http://0.0.0.0:1/jwks'],
  ])('does not fetch from %s', async (_name, uri) => {
    open({ uri: () => Promise.resolve(uri) });
    await expect(known()).rejects.toMatchObject(UNAVAILABLE);
    expect(log.lines).toEqual([expect.stringMatching(/: unavailable: The address of the keys/)]);
  });
});

describe('KeySet: rotation', () => {
  it('rejects no valid call during an unannounced rotation under load', async () => {
    open({ cooldownMs: 200 });
    const [failures, done] = [[] as unknown[], new AbortController()];
    const worker = async () => {
      while (!done.signal.aborted) {
        const { key } = issuer;
        const verified = await verifies(await issuer.mint('audience', {}, { key })).catch(String);
        // Rejection is correct for a key that was removed in the meantime.
        if (verified !== true && key === issuer.key) failures.push(verified);
      }
    };
    const workers = Array.from({ length: 50 }, worker);
    try {
      for (let round = 2; round < 6; round++) {
        issuer.keys.splice(0, 1, await makeKey(`key-${round}`));
        const id = await idOf(`key-${round}`);
        expect(keys.hasKey(id)).toBe(true);
      }
    } finally {
      done.abort();
      await Promise.all(workers);
    }
    expect(failures).toEqual([]);
    expect(issuer.jwksFetches).toBeLessThanOrEqual(1 + 2 * 4);
  });

  it('answers callers during the fetch as soon as it ends, without a cooldown', async () => {
    let done = false;
    open({ cooldownMs: 500 });
    await known();
    await pass(500);
    issuer.keys.push(await makeKey('key-2'));
    issuer.scripts.set('/jwks', (_request, response) => {
      void known().then(() => (done = true));
      setTimeout(() => response.end(JSON.stringify({ keys: [issuer.key.jwk] })), 50);
    });
    expect(await known()).toHaveLength(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toBe(true);
  });

  it('finds a rotation during a fetch that began before it', async () => {
    let arrived = false;
    open();
    await known();
    issuer.scripts.set('/jwks', (_request, response) => {
      arrived = true;
      const snapshot = JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) });
      setTimeout(() => response.end(snapshot), 200);
    });
    const stranger = unknown();
    await until(() => arrived);
    issuer.keys.push(await makeKey('key-2'));
    expect(await verifies(await issuer.mint('audience'))).toBe(true);
    expect(await stranger).toEqual([]);
  });
});

describe('KeySet: unknown kid', () => {
  it('causes one fetch for thousands of tokens and serves valid tokens meanwhile', async () => {
    open({ cooldownMs: 1_000 });
    const token = await issuer.mint('audience');
    expect(await verifies(token)).toBe(true);
    const attack = Array.from({ length: 10_000 }, (_, at) => unknown(`kid-${at}`));
    expect(await verifies(token)).toBe(true);
    const answers = await Promise.allSettled(attack);
    const refused = answers.filter(({ status }) => status === 'fulfilled');
    expect(refused).toHaveLength(1_024);
    expect(refused).toEqual(Array(1_024).fill({ status: 'fulfilled', value: [] }));
    expect(answers.at(-1)).toMatchObject({
      status: 'rejected',
      reason: { ...UNAVAILABLE, retryAfterSeconds: 5 },
    });
    expect(issuer.jwksFetches).toBe(2);

    // Waiting requests free their places, and a rotation during the flood is found.
    issuer.keys.push(await makeKey('key-2'));
    expect(await verifies(await issuer.mint('audience'))).toBe(true);
    expect(issuer.jwksFetches).toBe(3);
  });

  it('waits for the end of the cooldown, which begins with any fetch', async () => {
    open({ cooldownMs: 500 });
    await known();
    const begin = performance.now();
    expect(await unknown()).toEqual([]);
    expect(performance.now() - begin).toBeGreaterThan(300);
    expect(issuer.jwksFetches).toBe(2);
  });

  it('is answered by the fetch that it caused', async () => {
    open({ cooldownMs: 60_000 });
    expect(await unknown()).toEqual([]);
    expect(issuer.jwksFetches).toBe(1);
  });

  it('is rejected at once after a fetch did not find it, until the issuer publishes it', async () => {
    open();
    expect(await unknown('key-2')).toEqual([]);
    const before = issuer.jwksFetches;
    for (let time = 0; time < 100; time++) expect(await unknown('key-2')).toEqual([]);
    expect(issuer.jwksFetches).toBe(before);
    issuer.keys.push(await makeKey('key-2'));
    await unknown('anything that makes it look');
    expect(await unknown('key-2')).toHaveLength(1);
  });

  it('is fetched again after a minute, also with repeated use', async () => {
    open();
    await unknown();
    const [fetches, now] = [issuer.jwksFetches, performance.now.bind(performance)];
    for (const [seconds, more] of [
      [30, 0],
      [58, 0],
      [61, 1],
      [90, 1],
    ] as const) {
      jest.spyOn(performance, 'now').mockImplementation(() => now() + seconds * 1_000);
      // The cache reads the clock once per millisecond.
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(await unknown()).toEqual([]);
      expect(issuer.jwksFetches).toBe(fetches + more);
    }
  });

  it('answers 503 during an outage and respects the backoff', async () => {
    open();
    await known();
    await pass(50);
    issuer.failing = 503;
    await expect(unknown()).rejects.toMatchObject(UNAVAILABLE);
    const rest = await Promise.allSettled(Array.from({ length: 100 }, (_, at) => unknown(`kid-${at}`)));
    expect(new Set(rest.map(({ status }) => status))).toEqual(new Set(['rejected']));
    expect(await known()).toHaveLength(1);
    expect(issuer.jwksFetches).toBe(2);
    expect(keys.status().state).toBe('stale');
    issuer.failing = undefined;
    await until(() =>
      unknown().then(
        (found) => found.length === 0,
        () => false,
      ),
    );
  });

  it.each([
    ['a kid that is no text', { alg: 'ES256', kid: 7 }],
    ['a kid that is null', { alg: 'ES256', kid: null }],
    ['an algorithm that is not accepted', { alg: 'ES512', kid: 'nobody' }],
    ['a symmetric algorithm', { alg: 'HS256', kid: 'key-1' }],
    ['an algorithm of Object.prototype', { alg: 'constructor', kid: 'key-1' }],
  ])('causes no fetch with %s', async (_name, header) => {
    open();
    expect(await keys.candidates(header)).toEqual([]);
    expect(issuer.jwksFetches).toBe(0);
  });

  it('differs from a known kid of another algorithm', async () => {
    open();
    expect(await keys.candidates({ alg: 'RS256', kid: 'key-1' })).toEqual([]);
    expect(issuer.jwksFetches).toBe(1);
  });
});

describe('KeySet: token without kid', () => {
  it('tries every key for the algorithm', async () => {
    open();
    issuer.keys.push(await makeKey('key-2'), await makeKey('key-3', 'EdDSA'));
    const signedBy = (key: SigningKey | undefined) =>
      issuer.mint('audience', {}, { key, header: { kid: undefined } });
    expect(await keys.candidates({ alg: 'ES256' })).toHaveLength(2);
    expect(await keys.candidates({ alg: 'EdDSA' })).toHaveLength(1);
    for (const key of issuer.keys) expect(await verifies(await signedBy(key))).toBe(true);
    expect(await verifies(await signedBy(await makeKey('stranger')))).toBe(false);
    expect(await keys.candidates({ alg: 'RS256' })).toEqual([]);
    expect(issuer.jwksFetches).toBe(1);
  });
});

describe('KeySet: one key without kid', () => {
  const single = () => {
    const { kid: _kid, ...jwk } = issuer.key.jwk;
    return jwk;
  };

  it('rejects a token with a kid unless the setting permits it', async () => {
    publish(single());
    open();
    expect(await verifies(await issuer.mint('audience'))).toBe(false);
    expect(await verifies(await issuer.mint('audience', {}, { header: { kid: undefined } }))).toBe(true);
    keys.stop();
    open({ acceptsKeyWithoutKid: true });
    expect(await verifies(await issuer.mint('audience'))).toBe(true);
    expect(await verifies(await issuer.mint('audience', {}, { header: { kid: undefined } }))).toBe(true);
  });

  it.each<[string, () => Promise<unknown[]>]>([
    ['another key without a kid', async () => [single(), { ...(await makeKey('x')).jwk, kid: undefined }]],
    ['another key with a kid', async () => [single(), (await makeKey('x')).jwk]],
    [
      'a key for something else with a kid',
      async () => [single(), { ...(await makeKey('x')).jwk, use: 'enc' }],
    ],
    ['nothing, and has another kid', () => Promise.resolve([{ ...single(), kid: 'x' }])],
    ['nothing, and an empty kid', () => Promise.resolve([{ ...single(), kid: '' }])],
  ])('rejects a token with a kid if the set also holds %s', async (_name, entries) => {
    publish(...(await entries()));
    open({ acceptsKeyWithoutKid: true });
    expect(await verifies(await issuer.mint('audience'))).toBe(false);
  });

  it('rejects a token of another key, another algorithm or an invalid kid', async () => {
    publish(single());
    open({ acceptsKeyWithoutKid: true });
    expect(await verifies(await issuer.mint('audience', {}, { key: await makeKey('key-1') }))).toBe(false);
    expect(await keys.candidates({ alg: 'RS256', kid: 'key-1' })).toEqual([]);
    expect(await keys.candidates({ alg: 'ES256', kid: 7 })).toEqual([]);
    expect(await keys.candidates({ alg: 'ES256', kid: null })).toEqual([]);
  });
});

describe('KeySet: EdDSA and Ed25519', () => {
  const NAMES = ['EdDSA', 'Ed25519', undefined];

  it.each(['EdDSA', 'Ed25519'])('treats both names alike if %s is accepted', async (accepted) => {
    for (const named of NAMES) {
      const key = await makeKey('ed', 'EdDSA');
      publish({ ...key.jwk, alg: named });
      open({ algorithms: [accepted] });
      for (const alg of ['EdDSA', 'Ed25519']) {
        const token = await issuer.mint('audience', {}, { key: { ...key, alg } });
        const [candidate] = await keys.candidates({ alg, kid: 'ed' });
        const verified = jwtVerify(token, (header) => candidate?.key(header) as Promise<CryptoKey>);
        expect((await verified).protectedHeader.alg).toBe(alg);
      }
      keys.stop();
    }
    open();
  });

  it('accepts neither name if none is configured', async () => {
    publish((await makeKey('ed', 'EdDSA')).jwk);
    open({ algorithms: ['ES256'] });
    await expect(keys.candidates({ alg: 'EdDSA', kid: 'ed' })).resolves.toEqual([]);
    await expect(keys.candidates({ alg: 'Ed25519', kid: 'ed' })).resolves.toEqual([]);
  });

  it.each(['EdDSA', 'Ed25519', undefined])('rejects a key on Ed448 with alg %s', async (alg) => {
    const { publicKey } = generateKeyPairSync('ed448');
    publish({ ...publicKey.export({ format: 'jwk' }), kid: 'ed', ...(alg && { alg }) }, issuer.key.jwk);
    open({ algorithms: ['EdDSA', 'Ed25519', 'ES256'] });
    expect(await keys.candidates({ alg: 'EdDSA', kid: 'ed' })).toEqual([]);
    expect(await keys.candidates({ alg: 'Ed25519', kid: 'ed' })).toEqual([]);
    expect(await keys.candidates({ alg: 'Ed448', kid: 'ed' })).toEqual([]);
  });
});

describe('KeySet: unusual sets', () => {
  const rsa = (modulusLength: number) =>
    generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ format: 'jwk' });

  const ODD: [name: string, entry: (good: JWK, key: SigningKey) => unknown, complaint: RegExp | undefined][] =
    [
      ['null', () => null, /is not an object/],
      ['a number', () => 7, /is not an object/],
      ['a list', () => [{}], /is not an object/],
      ['an empty object', () => ({}), /cannot be read/],
      ['an unknown kind', () => ({ kty: 'UNKNOWN', kid: 'odd' }), undefined],
      ['a symmetric key', (good) => ({ ...good, kty: 'oct', k: 'AA', kid: 'odd' }), /is symmetric/],
      [
        'a private key',
        async (_good, { privateKey }) => ({ ...(await exportJWK(privateKey)), kid: 'odd' }),
        /private/,
      ],
      ['a secret in a public key', (good) => ({ ...good, k: 'AA', kid: 'odd' }), /private/],
      ['a short RSA key', () => ({ ...rsa(1024), kid: 'odd' }), /RSA key of 1024 bits is too short/],
      ['an RSA key that is none', () => ({ kty: 'RSA', kid: 'odd' }), /cannot be read/],
      ['a point off its curve', (good) => ({ ...good, x: 'AA', kid: 'odd' }), /is unusable/],
      ['a key for encryption', (good) => ({ ...good, use: 'enc', kid: 'odd' }), undefined],
      ['a key for signing only', (good) => ({ ...good, key_ops: ['sign'], kid: 'odd' }), undefined],
      ['a key of another algorithm', (good) => ({ ...good, alg: 'ES512', kid: 'odd' }), undefined],
      ['a kid that is no text', (good) => ({ ...good, use: 'enc', kid: 7 }), undefined],
    ];

  it.each(ODD)('serves the other key of a set with %s', async (_name, odd, complaint) => {
    publish(await odd(issuer.key.jwk, issuer.key), issuer.key.jwk);
    open();
    expect(await verifies(await issuer.mint('audience'))).toBe(true);
    expect(keys.status().keys).toBe(1);
    const fetches = issuer.jwksFetches;
    expect(await keys.candidates({ alg: 'ES256', kid: 'odd' })).toEqual([]);
    const hadKid = JSON.stringify(issuer.overrides.get('/jwks')).includes('"odd"');
    expect(issuer.jwksFetches).toBe(hadKid ? fetches : fetches + 1);
    expect(log.lines).toEqual([
      expect.stringMatching(complaint ? /^warn Keys of .*: not used: #0/ : /^log Keys of .*: not used: #0/),
    ]);
    if (complaint) expect(log.lines[0]).toMatch(complaint);
  });

  it('logs unusable entries once, until they change', async () => {
    publish(null, issuer.key.jwk);
    open({ refreshMs: 100 }).start();
    const fetched = (times: number) => until(() => issuer.jwksFetches >= times);
    await fetched(4);
    expect(log.lines).toHaveLength(1);
    publish({ kty: 'NEW', kid: 'new' }, ...Array<unknown>(7).fill(7), issuer.key.jwk);
    await until(() => log.lines.length > 1);
    await fetched(issuer.jwksFetches + 3);
    expect(log.lines.slice(1)).toEqual([
      `warn Keys of ${issuer.url}: not used: ${[1, 2, 3, 4, 5].map((at) => `#${at} is not an object`).join('; ')}; and 3 more`,
    ]);
  });

  it('returns two candidates for two keys with one kid', async () => {
    const twin = await makeKey('key-1');
    publish(issuer.key.jwk, twin.jwk, twin.jwk);
    open();
    expect(await known()).toHaveLength(2);
    for (const key of [issuer.key, twin]) {
      expect(await verifies(await issuer.mint('audience', {}, { key }))).toBe(true);
    }
  });

  it('uses the first 100 keys of a larger set', async () => {
    const many = await Promise.all(Array.from({ length: 101 }, (_, at) => makeKey(`kid-${at}`)));
    publish(...many.map(({ jwk }) => jwk));
    open();
    expect(await unknown('kid-99')).toHaveLength(1);
    expect(await unknown('kid-100')).toEqual([]);
    expect(keys.status().keys).toBe(100);
    expect(log.lines).toEqual([expect.stringContaining('#100 (kid "kid-100") is beyond the first 100 keys')]);
  });

  const jwks = () => JSON.stringify({ keys: [issuer.key.jwk] });
  it.each<[string, (response: ServerResponse) => void]>([
    ['500', (response) => response.writeHead(500).end(jwks())],
    ['206', (response) => response.writeHead(206).end(jwks())],
    ['a redirect', (response) => response.writeHead(302, { location: '/moved' }).end()],
    ['HTML', (response) => response.end('<html></html>')],
    ['null', (response) => response.end('null')],
    ['a list', (response) => response.end(JSON.stringify([issuer.key.jwk]))],
    ['keys that are no list', (response) => response.end('{"keys":{"length":1}}')],
    ['too much', (response) => response.end(jwks().padEnd(600 * 1024))],
    ['nothing, ever', () => undefined],
    ['a broken connection', (response) => response.destroy()],
  ])(
    'treats a set that is %s as an outage, keeps the keys, and accepts the next valid set',
    async (_name, answer) => {
      open({ refreshMs: 100, timeoutMs: 300 });
      const id = await idOf('key-1');
      issuer.scripts.set('/jwks', (_request, response) => answer(response));
      issuer.overrides.set('/moved', { keys: [issuer.key.jwk] });
      await until(() => known().then(() => keys.status().state === 'stale' && log.lines.length > 0));
      expect([keys.hasKey(id), await keys.ready(), keys.status().keys]).toEqual([true, true, 1]);
      expect(issuer.hits.has('/moved')).toBe(false);
      issuer.scripts.clear();
      await until(() => known().then(() => keys.status().state === 'fresh'));
    },
  );
});

describe('KeySet: an issuer without keys', () => {
  it.each<[string, () => object]>([
    ['and has none', () => ({ keys: [] })],
    ['and has only a symmetric one', () => ({ keys: [{ kty: 'oct', k: 'AA' }] })],
    ['and shows the private half of it', () => ({ keys: [{ ...issuer.key.jwk, d: 'AA' }] })],
    ['and has it for something else', () => ({ keys: [{ ...issuer.key.jwk, use: 'enc' }] })],
  ])('%s: verifies no token until the issuer publishes a key', async (_name, document) => {
    open({ refreshMs: 100 }).start();
    const id = await idOf('key-1');
    issuer.scripts.set('/jwks', (_request, response) => response.end(JSON.stringify(document())));
    await until(() => keys.ready().then((ready) => !ready));
    await expect(known()).rejects.toMatchObject(UNAVAILABLE);
    expect(() => keys.hasKey(id)).toThrow(expect.objectContaining(UNAVAILABLE));
    expect(keys.status()).toMatchObject({ state: 'none', keys: 0 });
    expect(log.lines.join()).toContain('has no usable key');
    issuer.scripts.clear();
    await until(() => keys.ready());
    expect(await known()).toHaveLength(1);
  });
});

it('fetches in the background after a signature that matches no key, limited like an unknown kid', async () => {
  open({ refreshMs: 60_000, cooldownMs: 300 });
  await known();
  const before = issuer.hits.get('/jwks') ?? 0;
  for (let at = 0; at < 100; at++) keys.refreshAfterBadSignature();
  expect(issuer.hits.get('/jwks')).toBe(before);
  await new Promise((resolve) => setTimeout(resolve, 350));
  for (let at = 0; at < 100; at++) keys.refreshAfterBadSignature();
  await until(() => Promise.resolve(issuer.hits.get('/jwks') === before + 1));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(issuer.hits.get('/jwks')).toBe(before + 1);
});

describe('KeySet: issuer outage', () => {
  it('has no keys if the issuer is down at the start, and finds them later', async () => {
    issuer.failing = 503;
    open({ refreshMs: 100 }).start();
    expect(await keys.ready()).toBe(false);
    await expect(known()).rejects.toMatchObject(UNAVAILABLE);
    expect(keys.status()).toEqual({ state: 'none', loadedAt: null, usableUntil: null, keys: 0 });
    issuer.failing = undefined;
    await until(() => keys.ready());
    expect(await known()).toHaveLength(1);
  });

  it('keeps the keys up to their maximum age, and recovers', async () => {
    open({ refreshMs: 100, maxAgeMs: 3_000 }).start();
    const id = await idOf('key-1');
    issuer.failing = 503;
    const bound = performance.now() + 3_000;
    await until(() => log.lines.length > 0);
    expect([keys.hasKey(id), keys.status().state]).toEqual([true, 'stale']);
    await until(() => performance.now() > bound);
    expect(() => keys.hasKey(id)).toThrow(expect.objectContaining(UNAVAILABLE));
    await expect(known()).rejects.toMatchObject(UNAVAILABLE);
    expect([await keys.ready(), keys.status().keys]).toEqual([false, 0]);
    issuer.failing = undefined;
    await until(() => keys.ready());
    expect(keys.hasKey(id)).toBe(true);
  });
});

it('stop() ends waiters and fetches', async () => {
  open({ cooldownMs: 60_000 }).start();
  const id = await idOf('key-1');
  const waiting = unknown();
  await new Promise((resolve) => setImmediate(resolve));
  keys.stop();
  await expect(waiting).rejects.toMatchObject(UNAVAILABLE);
  await expect(unknown()).rejects.toMatchObject(UNAVAILABLE);
  expect(keys.hasKey(id)).toBe(true);
  expect(issuer.jwksFetches).toBe(1);
});
