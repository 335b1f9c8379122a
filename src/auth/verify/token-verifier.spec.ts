/** The cache of verified tokens changes the time of a verification only. */
import { ConfigService } from '@nestjs/config';
import fc from 'fast-check';
import { TestIssuer, makeKey, type Claims, type SigningKey } from '../../../test/support/issuer.js';
import { AppError } from '../../core/app-error.js';
import { loadSettings } from '../../config/load-settings.js';
import type { IssuerSettings, Settings } from '../../config/settings.js';
import { IntrospectionService } from '../introspection/introspection.service.js';
import { IssuerMetadataService } from '../keys/issuer-metadata.service.js';
import { JwksService } from '../keys/jwks.service.js';
import { SenderBinding } from '../binding/sender-binding.js';
import { TokenVerifier } from './token-verifier.js';
import { VerifiedTokens } from './verified-tokens.js';

const AUDIENCE = 'https://gate.example.com/mcp';
const THUMBPRINT = 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2';

let issuer: TestIssuer;
let isForeignKind: SigningKey;
let config: ConfigService<Settings, true>;
let jwks: JwksService;
let metadata: IssuerMetadataService;

function verifierOf(known: VerifiedTokens): TokenVerifier {
  return new TokenVerifier(
    config,
    jwks,
    new IntrospectionService(config, metadata),
    new SenderBinding(config),
    known,
  );
}

/** The principal, or the reason of the denial. */
async function outcome(verifier: TokenVerifier, token: string, certificate?: string): Promise<unknown> {
  try {
    return await verifier.verify({
      scheme: 'Bearer',
      token,
      request: { method: 'POST', path: '/mcp' },
      proofs: [],
      certificate: () => certificate,
    });
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}

beforeAll(async () => {
  issuer = await TestIssuer.start();
  isForeignKind = await makeKey('key-1');
  const settings = loadSettings(
    { AUTH_ISSUER: issuer.url, AUTH_AUDIENCE: AUDIENCE, TOOL_ALLOW_LIST: '*' },
    () => '',
  );
  const [first] = settings.auth.issuers as [IssuerSettings];
  // The clock moves by hours; the keys must not expire.
  const issuers = [{ ...first, keyRefreshSeconds: 1, keyMaxAgeSeconds: 604_800 }];
  config = new ConfigService<Settings, true>({ ...settings, auth: { ...settings.auth, issuers } });
  metadata = new IssuerMetadataService(config);
  jwks = new JwksService(config, metadata);
  jwks.onApplicationBootstrap();
  expect(await jwks.ready()).toBe(true);
});
afterEach(() => jest.restoreAllMocks());
afterAll(async () => {
  jwks.onApplicationShutdown();
  metadata.onApplicationShutdown();
  await issuer.stop();
});

it('gives a cached token the same result as an uncached one, at any time and for random claims', async () => {
  const start = Date.now();
  const now = Math.floor(start / 1000);
  const time = fc.integer({ min: now - 4000, max: now + 8000 });
  /** A valid token with at most two unusual claims. */
  const claims: fc.Arbitrary<Claims> = fc
    .uniqueArray(
      fc.oneof(
        fc.tuple(fc.constant('exp'), fc.oneof(time, fc.constantFrom('300', undefined))),
        fc.tuple(fc.constant('iat'), fc.oneof(time, fc.constant(undefined))),
        fc.tuple(fc.constant('nbf'), fc.oneof(time, fc.constant(null))),
        fc.tuple(fc.constant('aud'), fc.constantFrom([AUDIENCE, 'x'], 'x', undefined)),
        fc.tuple(fc.constant('sub'), fc.constantFrom('agent', 7)),
        fc.tuple(fc.constant('scope'), fc.constantFrom('a b', ['a'], 7)),
        fc.tuple(fc.constant('nonce'), fc.constant('n')),
        fc.tuple(
          fc.constant('cnf'),
          fc.constantFrom({ 'x5t#S256': THUMBPRINT }, { 'x5t#S256': THUMBPRINT }, { jkt: THUMBPRINT }, {}),
        ),
      ),
      { maxLength: 2, selector: ([name]) => name },
    )
    .map((odd) => Object.fromEntries<unknown>(odd));
  const signer = fc.constantFrom<('own' | 'foreign')[]>('own', 'own', 'own', 'foreign');
  const uses = fc.array(
    fc.record({
      token: fc.nat({ max: 2 }),
      after: fc.constantFrom(0, 0, 60, 290, 310, 2000),
      certificate: fc.constantFrom(undefined, THUMBPRINT, THUMBPRINT, 'other'),
    }),
    { minLength: 2, maxLength: 8 },
  );
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(claims, signer), { minLength: 3, maxLength: 3 }),
      uses,
      async (made, used) => {
        jest.restoreAllMocks();
        const tokens = await Promise.all(
          made.map(([some, by]) => issuer.mint(AUDIENCE, some, by === 'own' ? {} : { key: isForeignKind })),
        );
        const remembering = verifierOf(new VerifiedTokens());
        let at = start;
        for (const { token, after, certificate } of used) {
          at += after * 1000;
          jest.spyOn(Date, 'now').mockReturnValue(at);
          const text = tokens[token] as string;
          const fresh = await outcome(verifierOf(new VerifiedTokens()), text, certificate);
          expect(await outcome(remembering, text, certificate)).toEqual(fresh);
          if (typeof fresh === 'object') accepted++;
        }
      },
    ),
    { numRuns: 300 },
  );
  // Without accepted tokens the test would cover denials only.
  expect(accepted).toBeGreaterThan(50);
}, 60_000);

it('verifies a signature once', async () => {
  const verifier = verifierOf(new VerifiedTokens());
  const token = await issuer.mint(AUDIENCE);
  const asked = jest.spyOn(jwks, 'candidates');
  for (let use = 0; use < 5; use++)
    expect(await outcome(verifier, token)).toMatchObject({ subject: 'alice' });
  expect(asked).toHaveBeenCalledTimes(1);
});

it('treats another encoding of a cached token as another token', async () => {
  const verifier = verifierOf(new VerifiedTokens());
  const token = await issuer.mint(AUDIENCE);
  expect(await outcome(verifier, token)).toMatchObject({ subject: 'alice' });
  expect(await outcome(verifier, `${token}=`)).toBe('token_malformed');
  expect(await outcome(verifier, token.slice(0, -1))).toMatch(/^token_(malformed|signature)$/);
});

it('forgets the tokens of a removed key', async () => {
  const verifier = verifierOf(new VerifiedTokens());
  const removed = await makeKey('key-removed');
  issuer.keys.unshift(removed);
  const token = await issuer.mint(AUDIENCE, {}, { key: removed });
  expect(await outcome(verifier, token)).toMatchObject({ subject: 'alice' });
  issuer.keys.shift();
  while (typeof (await outcome(verifier, token)) !== 'string') {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(await outcome(verifier, token)).toBe('token_signature');
}, 20_000);
