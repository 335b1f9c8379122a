/** Diagnostic rules: each applies to the check that fails, and is recognized. */
import fc from 'fast-check';
import { forge } from '../../../test/cases/forge.js';
import { ISSUER, NOW, RESOURCE, RULE_CASES, type RuleCase } from '../../../test/cases/doctor-cases.js';
import { makeKey, type SigningKey } from '../../../test/support/issuer.js';
import { readJwt } from '../../auth/verify/read-jwt.js';
import { identityUnavailable, invalidTokenError } from '../../auth/token-errors.js';
import { ISSUER_DEFAULTS } from '../../config/identity-file.js';
import type { IssuerSettings } from '../../config/settings.js';
import { advise, remark, DIAGNOSTIC_RULES } from './advice.js';
import { runChecks, type Evidence, type CheckReport } from './checks.js';
import { nearestIssuer } from './nearest-issuer.js';
import { providerOf } from './providers.js';
import type { Advice } from './report.js';
import { settingNames } from './setting.js';
import type { DiagnosticContext } from './diagnostic-context.js';
import { NOTES } from './rules/notes.js';

let key: SigningKey;
beforeAll(async () => (key = await makeKey('key-1')));

/** A valid token except for the case. */
function tokenOf({ token, header, claims, settings = {} }: RuleCase): string {
  if (token !== undefined) return token;
  const usual = {
    iss: settings.issuer ?? ISSUER,
    aud: settings.audience?.[0] ?? RESOURCE,
    sub: 'alice-is-nobodys-business',
    client_id: 'agent',
    iat: NOW - 10,
    exp: NOW + 290,
  };
  const content = { ...usual, ...claims };
  return forge({ header: { alg: 'ES256', kid: 'key-1', typ: 'at+jwt', ...header }, claims: content }, key);
}

function examined(ruleCase: RuleCase): { context: DiagnosticContext; checkReport: CheckReport } {
  const settings: IssuerSettings = {
    ...ISSUER_DEFAULTS,
    issuer: ISSUER,
    audience: [RESOURCE],
    ...ruleCase.settings,
  };
  const token = tokenOf(ruleCase);
  const jwt = readJwt(token);
  const nearest = nearestIssuer(jwt, [settings]);
  const { answer } = ruleCase;
  const error =
    answer === 'identity_unavailable'
      ? identityUnavailable(new Error('connect ECONNREFUSED'))
      : answer && invalidTokenError(answer, 'as the server says it');
  const evidence: Evidence = {
    token,
    jwt,
    ...nearest,
    signatureCheck: error ? { error } : jwt && { claims: jwt.claims },
    seesCertificates: false,
    now: NOW,
  };
  const checkReport = runChecks(evidence);
  const claims = checkReport.claims ?? {};
  const context: DiagnosticContext = {
    token,
    jwt,
    claims,
    issuer: settings,
    provider: providerOf(claims, settings, nearest.isOfIssuer),
    publishedKids: ruleCase.publishedKids,
    reason: undefined,
    cause: answer === 'identity_unavailable' ? 'connect ECONNREFUSED' : undefined,
    setting: settingNames(false),
    resource: RESOURCE,
    requireHuman: true,
    seesCertificates: false,
    now: NOW,
  };
  return { context, checkReport };
}

function adviceOn(ruleCase: RuleCase): Advice | undefined {
  const { context, checkReport } = examined(ruleCase);
  if (ruleCase.check !== 'note') {
    const outcome = checkReport.outcomes.find(({ check }) => check === ruleCase.check);
    expect(outcome).toMatchObject({ state: 'fail', reason: ruleCase.reason });
    return advise(ruleCase.check, { ...context, reason: outcome?.reason });
  }
  const { principal } = checkReport;
  if (!principal) throw new Error(`refused: ${JSON.stringify(checkReport.outcomes)}`);
  const ids = ruleCase.claims?.groups ?? ruleCase.claims?.roles;
  const notes = remark({
    ...context,
    principal,
    providerRoles: Array.isArray(ids) ? (ids as string[]) : [],
  });
  return notes.find(({ rule }) => rule === ruleCase.rule);
}

it.each(RULE_CASES.map((one) => [one.check, one.rule, one] as const))(
  'gives advice on the check %s by the rule %s',
  (_check, _trap, ruleCase) => {
    const advice = adviceOn(ruleCase);
    expect(advice?.rule).toBe(ruleCase.rule);
    const words = [advice?.message, advice?.providerFix, advice?.serverFix].join(' ');
    for (const word of ruleCase.words) expect(words).toContain(word);
    // Every advice has a remedy, in complete sentences without missing values.
    expect(advice?.providerFix ?? advice?.serverFix ?? (ruleCase.check === 'note' && 'nothing')).toBeTruthy();
    expect(words).not.toMatch(/undefined|NaN|\[object/);
    expect(words).not.toContain('alice-is-nobodys-business');
  },
);

it('covers every diagnostic rule with a case', () => {
  const met = new Set(RULE_CASES.map(({ check, rule }) => `${check} ${rule}`));
  const providerFix = [
    ...Object.entries(DIAGNOSTIC_RULES).flatMap(([check, rules]) =>
      rules.map(({ name }) => `${check} ${name}`),
    ),
    ...NOTES.map(({ name }) => `note ${name}`),
  ];
  // These fail several checks.
  const elsewhere = providerFix.filter((name) => /(id|other|refresh|graph)-token$/.test(name));
  expect(providerFix.filter((name) => !met.has(name) && !elsewhere.includes(name))).toEqual([]);
});

it('gives advice on every failed check and never prints the token or its signature', () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.constant({ toString: 'at+jwt', valueOf: 1 }),
  );
  const names = [
    'iss',
    'aud',
    'exp',
    'nbf',
    'iat',
    'typ',
    'cnf',
    'scope',
    'roles',
    'nonce',
    'act',
    'tid',
    'ver',
  ];
  const claims = fc.dictionary(fc.constantFrom(...names), value);
  const header = fc.dictionary(fc.constantFrom('typ', 'kid', 'crit', 'nonce'), value);
  const settings = fc.constantFrom(
    'generic',
    'entra',
    'okta',
    'auth0',
    'keycloak',
    'cognito',
    'google',
    'ping',
  );
  fc.assert(
    fc.property(claims, header, settings, (some, more, preset) => {
      const ruleCase = {
        rule: '',
        check: 'form',
        claims: some,
        header: more,
        settings: { preset },
        words: [],
      } as const;
      const { context, checkReport } = examined(ruleCase);
      for (const { check, state, reason } of checkReport.outcomes) {
        if (state !== 'fail') continue;
        const advice = advise(check, { ...context, reason });
        expect(advice).toBeDefined();
        const said = JSON.stringify(advice);
        for (const part of context.token.split('.').slice(1)) expect(said).not.toContain(part);
        expect(said).not.toMatch(/\\u00[01]|\\u007f/);
      }
    }),
  );
});
