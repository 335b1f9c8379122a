import fc from 'fast-check';
import { serializeChallenge } from './challenge.js';

it.each([
  [{}, 'Bearer'],
  [{ scope: [] }, 'Bearer'],
  [
    { scope: ['a', 'b'], resourceMetadata: 'https://h/x' },
    'Bearer scope="a b", resource_metadata="https://h/x"',
  ],
  [
    { error: 'invalid_token', errorDescription: 'It\'s "bad"\\\r\nX: y' },
    'Bearer error="invalid_token", error_description="It\'s badX: y"',
  ],
  [
    { error: 'insufficient_user_authentication', acrValues: ['a', 'b'], maxAge: 60 },
    'Bearer error="insufficient_user_authentication", acr_values="a b", max_age="60"',
  ],
] as const)('serializeChallenge serializes %j', (challenge, expected) => {
  expect(serializeChallenge(challenge, 'Bearer')).toBe(expected);
});

it('serializeChallenge names the proof algorithms in the DPoP scheme only', () => {
  const challenge = { error: 'invalid_dpop_proof', algorithms: ['ES256', 'EdDSA'] } as const;
  expect(serializeChallenge(challenge, 'DPoP')).toBe('DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"');
  expect(serializeChallenge(challenge, 'Bearer')).toBe('Bearer error="invalid_dpop_proof"');
});

it('serializeChallenge drops characters that would end the header or a quoted value', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.array(fc.string({ unit: 'binary' })), (text, scope) => {
      const header = serializeChallenge({ errorDescription: text, scope, resourceMetadata: text }, 'Bearer');
      expect(header).toMatch(
        /^Bearer( \w+="[\x20-\x21\x23-\x5b\x5d-\x7e]*"(, \w+="[\x20-\x21\x23-\x5b\x5d-\x7e]*")*)?$/,
      );
    }),
  );
});
