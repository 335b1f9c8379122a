import { ISSUER_DEFAULTS } from '../../config/identity-file.js';
import type { IssuerSettings } from '../../config/settings.js';
import { nearestIssuer } from './nearest-issuer.js';
import { guessProvider, providerOf } from './providers.js';

const issuer = (name: string, more: Partial<IssuerSettings> = {}): IssuerSettings => ({
  ...ISSUER_DEFAULTS,
  audience: ['a'],
  issuer: name,
  ...more,
});

it.each([
  ['https://login.microsoftonline.com/TENANT/v2.0', 'entra'],
  ['https://sts.windows.net/TENANT/', 'entra'],
  ['https://acme.ciamlogin.com/TENANT/v2.0', 'entra'],
  ['https://acme.okta.com/oauth2/default', 'okta'],
  ['https://acme.eu.auth0.com/', 'auth0'],
  ['https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x', 'cognito'],
  ['https://accounts.google.com', 'google'],
  ['https://auth.pingone.eu/ENVIRONMENT/as', 'ping'],
  ['https://sso.example.com/auth/realms/demo', 'keycloak'],
  ['https://login.example.com', undefined],
  ['https://okta.com.attacker.example', undefined],
  ['nonsense', undefined],
  [7, undefined],
])('guesses the provider of %s: %s', (name, provider) => {
  expect(guessProvider(name)).toBe(provider);
});

it('guesses the provider of a custom domain by the claims', () => {
  const domain = 'https://id.example.com';
  expect(guessProvider(domain, { realm_access: {} })).toBe('keycloak');
  expect(guessProvider(domain, { sub: 'auth0|1' })).toBe('auth0');
  expect(guessProvider(domain, { tid: 't', ver: '2.0' })).toBe('entra');
});

it('uses the configured preset for tokens of the issuer and a guess for other tokens', () => {
  const configured = issuer('https://id.example.com', { preset: 'ping' });
  const claims = { iss: 'https://acme.okta.com/oauth2/default' };
  expect(providerOf(claims, configured, true)).toBe('ping');
  expect(providerOf(claims, configured, false)).toBe('okta');
});

describe('nearestIssuer', () => {
  const first = issuer('https://login.example.com');
  const keycloak = issuer('https://sso.example.com/realms/demo');
  const asked = issuer('https://opaque.example.com', {
    introspection: {} as IssuerSettings['introspection'],
  });
  const entra = issuer('https://login.microsoftonline.com/TENANT/v2.0', { preset: 'entra' });
  const all = [first, keycloak, asked, entra];
  const jwt = (iss: unknown) => ({ header: {}, claims: { iss } });

  it.each([
    [jwt('https://sso.example.com/realms/demo'), keycloak, true],
    [jwt('https://sso.example.com/realms/other'), keycloak, false],
    [jwt('https://login.example.com/'), first, false],
    [jwt('https://sts.windows.net/OTHER/'), entra, false],
    [jwt('https://stranger.example'), first, false],
    [jwt(undefined), first, false],
    [undefined, asked, true],
  ])('chooses the issuer for %j', (token, expected, isOfIssuer) => {
    expect(nearestIssuer(token, all)).toEqual({ issuer: expected, isOfIssuer });
  });

  it('attributes an opaque token to no issuer without introspection', () => {
    expect(nearestIssuer(undefined, [first, keycloak])).toEqual({ issuer: first, isOfIssuer: false });
  });
});
