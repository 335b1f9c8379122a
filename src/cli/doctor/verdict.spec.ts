import { invalidTokenError } from '../../auth/token-errors.js';
import type { Principal } from '../../core/principal.js';
import type { CheckReport, Outcome } from './checks.js';
import { verdictOf } from './verdict.js';

const principal = { kind: 'human' } as Principal;
const fails: Outcome = { check: 'audience', state: 'FAILS', reason: 'token_audience', message: '' };
const judged = (over: Partial<CheckReport> = {}): CheckReport => ({
  outcomes: [],
  claims: {},
  principal,
  bound: { dpop: false, mtls: false },
  ...over,
});
const refused = (reason: 'token_audience' | 'token_binding' | 'token_type') => ({
  error: invalidTokenError(reason, 'No'),
});

it('is the word of the server', () => {
  expect(verdictOf(judged(), { principal }, undefined)).toMatchObject({
    good: true,
    reason: null,
    principal,
  });
  const verdict = verdictOf(judged({ outcomes: [fails] }), refused('token_audience'), 'entra');
  expect(verdict).toMatchObject({ good: false, reason: 'token_audience', principal: undefined });
  expect(verdict.verdict).toBe('refused: 401 token_audience, "No". More: docs/providers/entra.md.');
});

it('of a token that is bound to a key is good where only the proof is lacking', () => {
  const bound = { dpop: true, mtls: false };
  expect(verdictOf(judged({ bound }), refused('token_binding'), undefined)).toMatchObject({
    good: true,
    principal,
  });
  expect(verdictOf(judged({ bound }), refused('token_audience'), undefined)).toMatchObject({ good: false });
  expect(verdictOf(judged(), refused('token_binding'), undefined)).toMatchObject({ good: false });
});

it.each([
  [judged({ outcomes: [fails] }), { principal }],
  [judged(), refused('token_type')],
  [judged({ outcomes: [fails] }), refused('token_type')],
])('is not good, and says so, where the checks say another thing', (checkReport, answer) => {
  const verdict = verdictOf(checkReport, answer, undefined);
  expect(verdict.good).toBe(false);
  expect(verdict.verdict).toContain('the doctor has a bug');
});
