/** Verdicts of the introspection endpoint on a token (RFC 7662 section 2.2). */
import fc from 'fast-check';
import { IntrospectionEndpoint } from '../../../test/support/introspection-endpoint.js';
import { AppError } from '../../core/app-error.js';
import type { IntrospectionSettings } from '../../config/settings.js';
import type { IntrospectionOptions } from './introspection-client.js';
import {
  answering,
  clientOf,
  now,
  outcome,
  raw,
  startEndpoint,
} from '../../../test/support/introspection-client.js';

let endpoint: IntrospectionEndpoint;

beforeEach(async () => {
  endpoint = await startEndpoint();
});
afterEach(() => endpoint.stop());

const introspection = (
  settings: Partial<IntrospectionSettings> = {},
  options: Partial<IntrospectionOptions> = {},
) => clientOf(endpoint, settings, options);

describe('IntrospectionClient: claims', () => {
  const active = (claims: object) => ({ active: true, exp: now() + 60, ...claims });

  it.each([
    ['active: false', { active: false }, '401 token_revoked'],
    ['active: false beside claims', { ...active({}), active: false }, '401 token_revoked'],
    ['another issuer', active({ iss: 'https://other.example' }), '401 token_issuer'],
    ['an empty issuer', active({ iss: '' }), '401 token_issuer'],
    ['a list of issuers', active({ iss: ['https://issuer.example'] }), '401 token_issuer'],
    ['the token_type refresh_token', active({ token_type: 'refresh_token' }), '401 token_type'],
    [
      'the token_use refresh_token (Hydra, dex)',
      active({ token_type: 'Bearer', token_use: 'refresh_token' }),
      '401 token_type',
    ],
    ['the token_use refresh', active({ token_use: 'refresh' }), '401 token_type'],
    ['the token_use ID', active({ token_use: 'ID' }), '401 token_type'],
    ['the token_type N_A (RFC 8693)', active({ token_type: 'N_A' }), '401 token_type'],
    ['an unknown token_type', active({ token_type: 'mac' }), '401 token_type'],
    ['a token_type that is a list', active({ token_type: ['Bearer'] }), '401 token_type'],
    ['an empty token_type', active({ token_type: '' }), '401 token_type'],
    ['no exp', { active: true }, '401 token_claims'],
    ['a text as exp', active({ exp: String(now() + 60) }), '401 token_claims'],
    ['a date as exp', active({ exp: '2099-01-01T00:00:00Z' }), '401 token_claims'],
    ['null as exp', active({ exp: null }), '401 token_claims'],
  ])('rejects a token for which the answer has %s', async (_, answer, expected) => {
    endpoint.behaviour = answering(answer);
    expect(await outcome((await introspection({ cacheSeconds: 60 })).claims('x'))).toBe(expected);
  });

  it('rejects a token with an infinite exp', async () => {
    endpoint.behaviour = raw('{"active":true,"exp":1e999}');
    expect(await outcome((await introspection()).claims('x'))).toBe('401 token_claims');
  });

  it.each([['Bearer'], ['bearer'], ['DPoP'], ['dpop'], [undefined], [null]])(
    'accepts the token_type %s',
    async (type) => {
      endpoint.behaviour = answering(active({ token_type: type, token_use: 'access_token' }));
      expect(await (await introspection()).claims('x')).toMatchObject({ active: true });
    },
  );

  it('adds the issuer of the endpoint to a response without iss', async () => {
    endpoint.behaviour = answering(active({ sub: 'alice' }));
    expect((await (await introspection()).claims('x')).iss).toBe(endpoint.issuer);
  });

  it('drops claims that are null', async () => {
    endpoint.behaviour = answering({
      ...active({ sub: 'alice', iss: null, iat: null, nbf: null, token_use: null }),
      exp: 4_000_000_000,
    });
    expect(await (await introspection()).claims('x')).toEqual({
      active: true,
      exp: 4_000_000_000,
      sub: 'alice',
      iss: endpoint.issuer,
    });
  });

  it('returns the claims of an expired token to the caller, which knows the tolerance', async () => {
    const token = endpoint.issue({ exp: now() - 2 });
    expect((await (await introspection()).claims(token)).exp).toBeLessThan(now());
  });

  it('returns claims or a known rejection for random JSON', async () => {
    const asked = await introspection();
    const odd = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(endpoint.issuer, 'Bearer', 'DPoP', 'refresh_token', 4_000_000_000),
    );
    const answers = fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          active: fc.oneof(fc.constant(true), fc.boolean(), odd),
          iss: fc.oneof(fc.constant(endpoint.issuer), odd),
          token_type: fc.oneof(fc.constant('Bearer'), odd),
          token_use: odd,
          exp: fc.oneof(fc.integer(), fc.double(), odd),
          sub: odd,
          aud: odd,
          ['__proto__']: odd,
        },
        { requiredKeys: [] },
      ),
    );
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(answers, async (answer) => {
        endpoint.behaviour = answering(answer);
        try {
          const claims = await asked.claims('x');
          seen.add('claims');
          expect(claims).toMatchObject({ active: true, iss: endpoint.issuer });
          expect(Number.isFinite(claims.exp)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          seen.add(`${(error as AppError).status} ${(error as AppError).code}`);
        }
      }),
      { numRuns: 600 },
    );
    expect([...seen].sort()).toEqual([
      '401 token_claims',
      '401 token_issuer',
      '401 token_revoked',
      '401 token_type',
      '503 identity_unavailable',
      'claims',
    ]);
  }, 60_000);

  it('uses the client as the subject of a token without one', async () => {
    const asked = await introspection();
    const token = endpoint.issue({ sub: undefined });
    expect(await asked.claims(token)).toMatchObject({ sub: 'agent', client_id: 'agent' });
  });
});
