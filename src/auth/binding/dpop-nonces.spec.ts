import fc from 'fast-check';
import { DpopNonces, NONCE_SLOT_SECONDS, requireNonce } from './dpop-nonces.js';

const SECRET = 'a secret of thirty-two characters';
/** First second of a slot. */
const NOW = 1_790_000_040;
const nonces = new DpopNonces(SECRET);

it('the slot of the tests starts at NOW', () => {
  expect(NOW % NONCE_SLOT_SECONDS).toBe(0);
  expect(nonces.current(NOW)).not.toBe(nonces.current(NOW - 0.001));
});

it('accepts a nonce in its slot and the next only', () => {
  const nonce = nonces.current(NOW);
  expect(nonce).toMatch(/^[\w-]{43}$/);
  expect([-0.001, 0, 59.999, 60, 119.999, 120].map((later) => nonces.accepts(nonce, NOW + later))).toEqual([
    false,
    true,
    true,
    true,
    true,
    false,
  ]);
});

it('issues one nonce per slot, equal on all instances and different for another secret', () => {
  expect(new DpopNonces(SECRET).current(NOW + 59.9)).toBe(nonces.current(NOW));
  const others = new DpopNonces(`${SECRET}.`);
  expect(others.current(NOW)).not.toBe(nonces.current(NOW));
  expect(others.accepts(nonces.current(NOW), NOW)).toBe(false);
});

it('does not issue the plain HMAC of the secret', () => {
  // Computed independently: HKDF-SHA256(secret, no salt, "dpop-nonce", 32), then HMAC-SHA256 of the number of the
  // slot.
  expect(nonces.current(NOW)).toBe('KGHmyuT1d-NaNUJKQWOfJU7RB1RBKs7-svXcC3HnuTY');
});

it.each([
  ['nothing', ''],
  ['a longer one', `${nonces.current(NOW)}A`],
  ['a shorter one', nonces.current(NOW).slice(1)],
  ['one with padding', `${nonces.current(NOW)}=`],
  ['as many characters in more bytes', 'ä'.repeat(43)],
])('rejects %s', (_, nonce) => {
  expect(nonces.accepts(nonce, NOW)).toBe(false);
});

it('rejects random nonces', () => {
  const given = fc.string({ unit: 'binary', minLength: 40, maxLength: 44 });
  fc.assert(fc.property(given, (nonce) => !nonces.accepts(nonce, NOW)));
});

describe('requireNonce', () => {
  it('accepts a current nonce', () => {
    expect(() => requireNonce(nonces, { nonce: nonces.current(NOW) }, NOW + 1)).not.toThrow();
  });

  it.each([undefined, '', 'stale', nonces.current(NOW - 61)])(
    'responds to %p with a fresh nonce',
    (nonce) => {
      expect(() => requireNonce(nonces, { nonce }, NOW)).toThrow(
        expect.objectContaining({
          code: 'token_binding',
          status: 401,
          challenge: { error: 'use_dpop_nonce', errorDescription: expect.any(String) },
          headers: { 'dpop-nonce': nonces.current(NOW) },
        }),
      );
    },
  );
});
