/** The usual traps, one by one: each is met by the check of the server that it fails, and recognized for what it is. */
import fc from 'fast-check';
import { forge } from '../../../test/cases/forge.js';
import { ISSUER, NOW, RESOURCE, TRAP_CASES, type TrapCase } from '../../../test/cases/doctor-cases.js';
import { makeKey, type SigningKey } from '../../../test/support/issuer.js';
import { readJwt } from '../../auth/verify/read-jwt.js';
import { identityUnavailable, refuseToken } from '../../auth/token-errors.js';
import { ISSUER_DEFAULTS } from '../../config/identity-file.js';
import type { IssuerSettings } from '../../config/settings.js';
import { advise, remark, TRAPS } from './advice.js';
import { judge, type Evidence, type Judgement } from './checks.js';
import { nearestIssuer } from './nearest-issuer.js';
import { providerOf } from './providers.js';
import type { Advice } from './report.js';
import { settingNames } from './setting.js';
import type { Situation } from './diagnostic-context.js';
import { NOTES } from './traps/notes.js';

let key: SigningKey;
beforeAll(async () => (key = await makeKey('key-1')));

/** A good token but for what the case is about. */
function tokenOf({ token, header, claims, settings = {} }: TrapCase): string {
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

function examined(trapCase: TrapCase): { situation: Situation; judgement: Judgement } {
  const settings: IssuerSettings = {
    ...ISSUER_DEFAULTS,
    issuer: ISSUER,
    audience: [RESOURCE],
    ...trapCase.settings,
  };
  const token = tokenOf(trapCase);
  const jwt = readJwt(token);
  const nearest = nearestIssuer(jwt, [settings]);
  const { answer } = trapCase;
  const error =
    answer === 'identity_unavailable'
      ? identityUnavailable(new Error('connect ECONNREFUSED'))
      : answer && refuseToken(answer, 'as the server says it');
  const evidence: Evidence = {
    token,
    jwt,
    ...nearest,
    genuine: error ? { error } : jwt && { claims: jwt.claims },
    seesCertificates: false,
    now: NOW,
  };
  const judgement = judge(evidence);
  const claims = judgement.claims ?? {};
  const situation: Situation = {
    token,
    jwt,
    claims,
    issuer: settings,
    provider: providerOf(claims, settings, nearest.isOfIssuer),
    publishedKids: trapCase.publishedKids,
    reason: undefined,
    cause: answer === 'identity_unavailable' ? 'connect ECONNREFUSED' : undefined,
    setting: settingNames(false),
    resource: RESOURCE,
    requireHuman: true,
    seesCertificates: false,
    now: NOW,
  };
  return { situation, judgement };
}

function adviceOn(trapCase: TrapCase): Advice | undefined {
  const { situation, judgement } = examined(trapCase);
  if (trapCase.check !== 'note') {
    const outcome = judgement.outcomes.find(({ check }) => check === trapCase.check);
    expect(outcome).toMatchObject({ state: 'FAILS', reason: trapCase.reason });
    return advise(trapCase.check, { ...situation, reason: outcome?.reason });
  }
  const { principal } = judgement;
  if (!principal) throw new Error(`refused: ${JSON.stringify(judgement.outcomes)}`);
  const ids = trapCase.claims?.groups ?? trapCase.claims?.roles;
  const notes = remark({
    ...situation,
    principal,
    providerRoles: Array.isArray(ids) ? (ids as string[]) : [],
  });
  return notes.find(({ trap }) => trap === trapCase.trap);
}

it.each(TRAP_CASES.map((one) => [one.check, one.trap, one] as const))('%s: %s', (_check, _trap, trapCase) => {
  const advice = adviceOn(trapCase);
  expect(advice?.trap).toBe(trapCase.trap);
  const words = [advice?.says, advice?.there, advice?.here].join(' ');
  for (const word of trapCase.words) expect(words).toContain(word);
  // Something to do, somewhere; in whole sentences, that hold no value that is missing.
  expect(advice?.there ?? advice?.here ?? (trapCase.check === 'note' && 'nothing')).toBeTruthy();
  expect(words).not.toMatch(/undefined|NaN|\[object/);
  expect(words).not.toContain('alice-is-nobodys-business');
});

it('every trap that there is has been met', () => {
  const met = new Set(TRAP_CASES.map(({ check, trap }) => `${check} ${trap}`));
  const there = [
    ...Object.entries(TRAPS).flatMap(([check, traps]) => traps.map(({ name }) => `${check} ${name}`)),
    ...NOTES.map(({ name }) => `note ${name}`),
  ];
  // These fail at several checks, and are met at one or another of them.
  const elsewhere = there.filter((name) => /(id|other|refresh|graph)-token$/.test(name));
  expect(there.filter((name) => !met.has(name) && !elsewhere.includes(name))).toEqual([]);
});

it('whatever a token says: some advice on every check, and never the token or its signature', () => {
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
      const trapCase = {
        trap: '',
        check: 'form',
        claims: some,
        header: more,
        settings: { preset },
        words: [],
      } as const;
      const { situation, judgement } = examined(trapCase);
      for (const { check, state, reason } of judgement.outcomes) {
        if (state !== 'FAILS') continue;
        const advice = advise(check, { ...situation, reason });
        expect(advice).toBeDefined();
        const said = JSON.stringify(advice);
        for (const part of situation.token.split('.').slice(1)) expect(said).not.toContain(part);
        expect(said).not.toMatch(/\\u00[01]|\\u007f/);
      }
    }),
  );
});
