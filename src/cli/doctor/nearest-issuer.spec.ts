import { ISSUER_DEFAULTS } from '../../config/identity-file.js';
import type { IssuerSettings } from '../../config/settings.js';
import { nearestIssuer } from './nearest-issuer.js';
import { settingNames } from './setting.js';

const issuer = (name: string): IssuerSettings => ({ ...ISSUER_DEFAULTS, issuer: name, audience: ['a'] });
const LOCAL = issuer('http://127.0.0.1:21001');
const AUTH0 = issuer('https://demo.eu.auth0.com/');
const jwt = (iss: string) => ({ header: { alg: 'RS256' }, claims: { iss } });

it.each([
  ['https://demo.eu.auth0.com', AUTH0, false],
  ['https://demo.eu.auth0.com/', AUTH0, true],
  ['http://127.0.0.1:21001/', LOCAL, false],
  ['http://127.0.0.1:21001', LOCAL, true],
])('chooses the most similar issuer for %s, regardless of the order', (iss, nearest, isOfIssuer) => {
  for (const issuers of [
    [LOCAL, AUTH0],
    [AUTH0, LOCAL],
  ]) {
    expect(nearestIssuer(jwt(iss), issuers)).toEqual({ issuer: nearest, isOfIssuer });
  }
});

it('writes a list in the form of the file or of the variable', () => {
  expect(settingNames(true)('token_types', 'at+jwt,none')).toMatch(/^token_types: \[at\+jwt, none\] /);
  expect(settingNames(false)('token_types', 'at+jwt,none')).toBe('AUTH_TOKEN_TYPES=at+jwt,none');
  expect(settingNames(true)('audience', 'one')).toMatch(/^audience: one /);
  expect(settingNames(true)('audience', 'one,two')).toMatch(/^audience: \[one, two\] /);
});
