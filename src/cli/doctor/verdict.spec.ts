import { invalidTokenError } from '../../auth/token-errors.js';
import type { Principal } from '../../core/principal.js';
import type { CheckReport, Outcome } from './checks.js';
import { verdictOf } from './verdict.js';

const principal = { kind: 'human' } as Principal;
const fails: Outcome = { check: 'audience', state: 'fail', reason: 'token_audience', message: '' };
const checked = (over: Partial<CheckReport> = {}): CheckReport => ({
  outcomes: [],
  claims: {},
  principal,
  bound: { dpop: false, mtls: false },
  ...over,
});
const refused = (reason: 'token_audience' | 'token_binding' | 'token_type') => ({
  error: invalidTokenError(reason, 'No'),
});

it('returns the decision of the verifier', () => {
  expect(verdictOf(checked(), { principal }, undefined)).toMatchObject({
    good: true,
    reason: null,
    principal,
  });
  const verdict = verdictOf(checked({ outcomes: [fails] }), refused('token_audience'), 'entra');
  expect(verdict).toMatchObject({ good: false, reason: 'token_audience', principal: undefined });
  expect(verdict.verdict).toBe('rejected: 401 token_audience, "No". More: docs/guides/providers/entra.md.');
});

it('is good for a key-bound token that lacks only the proof', () => {
  const bound = { dpop: true, mtls: false };
  expect(verdictOf(checked({ bound }), refused('token_binding'), undefined)).toMatchObject({
    good: true,
    principal,
  });
  expect(verdictOf(checked({ bound }), refused('token_audience'), undefined)).toMatchObject({ good: false });
  expect(verdictOf(checked(), refused('token_binding'), undefined)).toMatchObject({ good: false });
});

it.each([
  [checked({ outcomes: [fails] }), { principal }],
  [checked(), refused('token_type')],
  [checked({ outcomes: [fails] }), refused('token_type')],
])('is not good and reports a bug if the checks disagree with the verifier', (checkReport, answer) => {
  const verdict = verdictOf(checkReport, answer, undefined);
  expect(verdict.good).toBe(false);
  expect(verdict.verdict).toContain('the doctor has a bug');
});
