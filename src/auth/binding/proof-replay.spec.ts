import fc from 'fast-check';
import { AppError } from '../../core/app-error.js';
import type { VerifiedProof } from './dpop-proof.js';
import { ProofReplay } from './proof-replay.js';

const NOW = 1_790_000_000;

function proof(jti: string, change: Partial<VerifiedProof> = {}): VerifiedProof {
  return {
    thumbprint: 'k'.repeat(43),
    jti,
    issuedAt: NOW,
    validUntil: NOW + 65,
    nonce: undefined,
    ...change,
  };
}

const size = (replay: ProofReplay) => (replay as unknown as { used: Map<string, number> }).used.size;

it('accepts a proof once, until its last second', () => {
  const replay = new ProofReplay();
  expect([NOW, NOW, NOW + 64, NOW + 65].map((now) => replay.firstUse(proof('a'), now))).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

it('rejects a proof that expired between verification and use', () => {
  const replay = new ProofReplay();
  replay.firstUse(proof('a'), NOW);
  expect(replay.firstUse(proof('a'), NOW + 65.001)).toBe(false);
  expect(replay.firstUse(proof('never seen'), NOW + 65.001)).toBe(false);
});

it('accepts the jti of another key, and another jti of the same key', () => {
  const replay = new ProofReplay();
  expect(replay.firstUse(proof('a'), NOW)).toBe(true);
  expect(replay.firstUse(proof('a', { thumbprint: 'o'.repeat(43) }), NOW)).toBe(true);
  expect(replay.firstUse(proof('A'), NOW)).toBe(true);
});

it('rejects a second proof with the same jti', () => {
  const replay = new ProofReplay();
  replay.firstUse(proof('a'), NOW);
  expect(replay.firstUse(proof('a', { issuedAt: NOW + 5, validUntil: NOW + 70, nonce: 'n' }), NOW + 5)).toBe(
    false,
  );
});

it('accepts a jti again after the first proof expired', () => {
  const replay = new ProofReplay(2);
  const renewed = proof('a', { validUntil: NOW + 131 });
  replay.firstUse(proof('dated ahead', { validUntil: NOW + 70 }), NOW);
  replay.firstUse(proof('a'), NOW);
  // Expired, but kept behind the first entry.
  expect([66, 66, 71, 131].map((later) => replay.firstUse(renewed, NOW + later))).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

it('forgets expired proofs', () => {
  const replay = new ProofReplay();
  for (let i = 0; i < 1000; i++) replay.firstUse(proof(`${i}`, { validUntil: NOW + 65 + (i % 10) }), NOW);
  expect(size(replay)).toBe(1000);
  replay.firstUse(proof('later', { validUntil: NOW + 140 }), NOW + 75);
  expect(size(replay)).toBe(1);
});

it('rejects proofs when full, forgets no valid proof, and states the retry time', () => {
  const replay = new ProofReplay(2);
  replay.firstUse(proof('a'), NOW);
  replay.firstUse(proof('b', { validUntil: NOW + 66 }), NOW);
  expect(() => replay.firstUse(proof('c'), NOW + 10.5)).toThrow(
    expect.objectContaining({ code: 'identity_unavailable', status: 503, retryAfterSeconds: 55 }),
  );
  expect(replay.firstUse(proof('a'), NOW + 11)).toBe(false);
  expect(replay.firstUse(proof('b'), NOW + 11)).toBe(false);
  expect(() => replay.firstUse(proof('d', { validUntil: NOW + 120 }), NOW + 65)).toThrow(AppError);
  expect(replay.firstUse(proof('d', { validUntil: NOW + 120 }), NOW + 10.5 + 55)).toBe(true);
});

it('rejects all proofs with a capacity of 0', () => {
  expect(() => new ProofReplay(0).firstUse(proof('a'), NOW)).toThrow(
    expect.objectContaining({ status: 503, retryAfterSeconds: 1 }),
  );
});

it('agrees with a store without a limit', () => {
  const use = fc.record({ jti: fc.nat(20), issued: fc.nat(10), delay: fc.nat(70), step: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(use, { maxLength: 200 }), (uses) => {
      const replay = new ProofReplay(1000);
      const memory = new Map<string, number>();
      let now = NOW;
      for (const { jti, issued, delay, step } of uses) {
        now += step;
        const one = proof(`${jti}`, { validUntil: now - delay + issued + 60 });
        const known = (memory.get(one.jti) ?? -Infinity) >= now;
        const expected = !known && one.validUntil >= now;
        expect(replay.firstUse(one, now)).toBe(expected);
        if (expected) memory.set(one.jti, one.validUntil);
      }
    }),
  );
});

it('is full at 200,000 proofs and empty after a minute, without a long pause', () => {
  const replay = new ProofReplay();
  const start = Date.now();
  for (let i = 0; i < 200_000; i++) replay.firstUse(proof(`${i}-${'j'.repeat(200)}`), NOW);
  expect(() => replay.firstUse(proof('one too many'), NOW)).toThrow(AppError);
  expect(replay.firstUse(proof('later', { validUntil: NOW + 130 }), NOW + 66)).toBe(true);
  expect(size(replay)).toBe(1);
  expect(Date.now() - start).toBeLessThan(20_000);
});
