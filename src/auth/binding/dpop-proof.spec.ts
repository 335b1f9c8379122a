import * as dpop from 'dpop';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import {
  BAD_PROOFS,
  bareJwk,
  GOOD_PROOFS,
  proofWorld,
  usualProofClaims,
  usualProofHeader,
  validProof,
  type ProofWorld,
} from '../../../test/cases/dpop-proofs.js';
import { forge } from '../../../test/cases/forge.js';
import { AppError } from '../../core/app-error.js';
import { refuseProof, verifyProof, type ProofRequest } from './dpop-proof.js';

const REQUEST: ProofRequest = {
  method: 'POST',
  url: 'https://gate.example/mcp',
  accessToken: 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU',
  algorithms: ['ES256', 'EdDSA', 'Ed25519', 'RS256', 'PS256'],
  now: 1_790_000_000,
  toleranceSeconds: 5,
};

/** RFC 9449 section 7.1, figure 13. */
const RFC_PROOF = [
  'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQ',
  'yVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiO',
  'iJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIs',
  'ImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-E',
  'y71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA',
].join('');

let world: ProofWorld;
beforeAll(async () => {
  world = await proofWorld(REQUEST);
});

/** `accepted`, or the public text of an AppError. Other errors fail the test. */
async function outcome(proof: string, request: Partial<ProofRequest> = {}): Promise<string> {
  try {
    await verifyProof(proof, { ...REQUEST, ...request });
    return 'accepted';
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error).toMatchObject({
      code: 'token_binding',
      status: 401,
      challenge: { error: 'invalid_dpop_proof', errorDescription: error.message },
    });
    return error.message;
  }
}

describe('verifyProof rejects', () => {
  it.each(BAD_PROOFS.map((row) => [row.name, row] as const))('%s', async (_, { proof, says }) => {
    const text = await outcome(proof(world));
    expect(text).toContain(says);
    expect(text).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]{10,80}$/);
  });
});

describe('verifyProof accepts', () => {
  it.each(GOOD_PROOFS.map((row) => [row.name, row] as const))('%s', async (_, { proof, says }) => {
    expect(await outcome(proof(world))).toBe(says);
  });
});

it('accepts the example of RFC 9449 section 7.1', async () => {
  const request = { method: 'GET', url: 'https://resource.example.org/protectedresource', now: 1562262618 };
  expect(await verifyProof(RFC_PROOF, { ...REQUEST, ...request })).toEqual({
    // RFC 9449 section 6.1, figure 9
    thumbprint: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I',
    jti: 'e1j3V_bKic8-LAEB',
    issuedAt: 1562262618,
    validUntil: 1562262618 + 65,
    nonce: undefined,
  });
});

it.each(['ES256', 'RS256', 'PS256', 'Ed25519'] as const)(
  'accepts %s of an independent client',
  async (alg) => {
    const keys = await dpop.generateKeyPair(alg);
    const now = Math.floor(Date.now() / 1000);
    const { method, url, accessToken } = REQUEST;
    const proof = await dpop.generateProof(keys, url, method, 'a nonce', accessToken);
    const verified = await verifyProof(proof, { ...REQUEST, now });
    expect(verified).toMatchObject({
      thumbprint: await dpop.calculateThumbprint(keys.publicKey),
      nonce: 'a nonce',
      jti: expect.stringMatching(/^[\w-]{36}$/),
    });
    expect(await outcome(proof, { now, accessToken: 'another' })).toContain('another access token');
    expect(await outcome(proof, { now, algorithms: ['ES384'] })).toContain('algorithm that is not accepted');
  },
);

it('reports the last second of validity of a proof', async () => {
  const proof = validProof(world);
  const { validUntil } = await verifyProof(proof, REQUEST);
  expect(await outcome(proof, { now: validUntil })).toBe('accepted');
  expect(await outcome(proof, { now: validUntil + 0.001 })).toContain('too old');
  expect(await outcome(proof, { now: REQUEST.now - 5 })).toBe('accepted');
  expect(await outcome(proof, { now: REQUEST.now - 5.001 })).toContain('future');
});

it('keeps the cause private', () => {
  const cause = new Error('eyJ');
  expect(refuseProof('No', cause)).toMatchObject({ message: 'No', cause });
});

describe('verifyProof with random input', () => {
  const RUNS = { numRuns: 500 };

  it('rejects random text', async () => {
    const base64url = fc.string({
      unit: fc.constantFrom('e', 'y', 'J', 'h', 'b', 'G', 'O', '9', '_', '-', '.'),
      maxLength: 300,
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary', maxLength: 9000 }), base64url), async (text) =>
        expect(await outcome(text)).not.toBe('accepted'),
      ),
      RUNS,
    );
  });

  it('accepts a genuine proof unchanged and rejects it with any change', async () => {
    const proof = validProof(world);
    const character = fc.string({ unit: 'grapheme', minLength: 0, maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(fc.nat(proof.length), fc.nat(2), character, async (at, removed, inserted) => {
        const changed = proof.slice(0, at) + inserted + proof.slice(at + removed);
        expect((await outcome(changed)) === 'accepted').toBe(changed === proof);
      }),
      RUNS,
    );
  });

  it('rejects or accepts signed random JSON without other errors', async () => {
    const member = fc.constantFrom(
      'typ',
      'alg',
      'crit',
      'jwk',
      'jti',
      'htm',
      'htu',
      'iat',
      'ath',
      'nonce',
      'exp',
      'nbf',
    );
    const keyMember = fc.constantFrom('kty', 'crv', 'x', 'y', 'n', 'e', 'alg', 'use', 'key_ops');
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 4 }),
      fc.webUrl(),
      fc.constantFrom('EC', 'RSA', 'OKP', 'EdDSA'),
    );
    await fc.assert(
      fc.asyncProperty(member, keyMember, value, async (name, inKey, anything) => {
        const key = world.key;
        const jwk = { ...bareJwk(key), [inKey]: anything };
        const header = { ...usualProofHeader(key), [name]: anything };
        await outcome(forge({ header, claims: usualProofClaims(world) }, key));
        await outcome(forge({ header: { ...header, jwk }, claims: usualProofClaims(world) }, key));
        await outcome(
          forge(
            { header: usualProofHeader(key), claims: { ...usualProofClaims(world), [name]: anything } },
            key,
          ),
        );
      }),
      RUNS,
    );
  });

  it('rejects deep nesting without a stack overflow', async () => {
    const deep = `{"a":${'['.repeat(2900)}${']'.repeat(2900)}}`;
    expect(await outcome(forge({ header: deep, claims: '{}' }, world.key))).not.toBe('accepted');
    expect(await outcome(forge({ header: usualProofHeader(world.key), claims: deep }, world.key))).not.toBe(
      'accepted',
    );
  });

  it('rejects bytes that are not text', async () => {
    for (const proof of [undefined, null, 1, {}, []]) {
      expect(await outcome(proof as never)).not.toBe('accepted');
    }
  });
});

it('hashes the token as sent', () => {
  expect(usualProofClaims(world).ath).toBe('fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo');
  expect(createHash('sha256').update(REQUEST.accessToken).digest('base64url')).toBe(
    usualProofClaims(world).ath,
  );
});
