import fc from 'fast-check';
import { completeClaims } from './complete-claims.js';

const ANSWER = { active: true, iss: 'https://i', client_id: 'agent', exp: 100 };
const SIGNED = {
  iss: 'https://i',
  sub: 'alice',
  client_id: 'agent',
  aud: 'gate',
  exp: 100,
  cnf: { jkt: 'x' },
};

it('completeClaims adds missing claims and takes the earlier expiry', () => {
  expect(completeClaims(ANSWER, SIGNED)).toEqual({ ...SIGNED, active: true });
  expect(completeClaims({ ...ANSWER, scope: 'a' }, { ...SIGNED, scope: 'a b', exp: 50 })).toMatchObject({
    scope: 'a',
    exp: 50,
  });
  expect(completeClaims(ANSWER, { ...SIGNED, exp: 200 }).exp).toBe(100);
  expect(completeClaims(ANSWER, { ...SIGNED, exp: 'x' }).exp).toBe('x');
});

it.each([
  [{ sub: 'bob' }],
  [{ client_id: 'other' }],
  [{ cnf: { jkt: 'y' } }],
  [{ cnf: {} }],
  [{ iss: 'https://j' }],
])('completeClaims rejects a response with %j that contradicts the token', (said) => {
  expect(() => completeClaims({ ...ANSWER, ...said }, SIGNED)).toThrow(
    expect.objectContaining({ code: 'token_claims', status: 401 }),
  );
});

it('completeClaims never loses a binding and never extends a token', () => {
  const claims = fc.dictionary(fc.constantFrom('sub', 'cnf', 'scope', 'act', 'aud'), fc.jsonValue());
  fc.assert(
    fc.property(claims, claims, fc.nat(), fc.nat(), (answer, signed, said, until) => {
      try {
        const all = completeClaims({ ...answer, exp: said }, { ...signed, exp: until });
        expect(all.exp).toBe(Math.min(said, until));
        if (signed.cnf !== undefined) expect(all.cnf).toEqual(signed.cnf);
      } catch (error) {
        expect(error).toMatchObject({ code: 'token_claims' });
      }
    }),
  );
});
