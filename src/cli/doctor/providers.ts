/** Guesses the provider of a token or issuer, for advice only. */
import type { Claims } from '../../auth/presets/presets.js';
import type { IssuerSettings, Preset } from '../../config/settings.js';

export type Provider = Exclude<Preset, 'generic'>;

export const PROVIDER_NAMES: Readonly<Record<Provider, string>> = {
  entra: 'Entra ID',
  okta: 'Okta',
  auth0: 'Auth0',
  keycloak: 'Keycloak',
  cognito: 'Amazon Cognito',
  google: 'Google',
  ping: 'Ping',
};

const HOSTS: readonly (readonly [Provider, RegExp])[] = [
  ['entra', /^(login\.microsoftonline\.(com|us)|login\.partner\.microsoftonline\.cn|sts\.windows\.net)$/],
  ['entra', /\.(ciamlogin|b2clogin)\.com$/],
  ['okta', /\.(okta|oktapreview|okta-emea|okta-gov)\.com$/],
  ['auth0', /\.auth0\.com$/],
  ['cognito', /^cognito-idp\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$/],
  ['google', /^accounts\.google\.com$/],
  ['ping', /(^|\.)(pingone\.(com|eu|ca|asia|sg|com\.au)|pingidentity\.com)$/],
];

const MARKS: readonly (readonly [Provider, (claims: Claims) => boolean])[] = [
  ['keycloak', (claims) => claims.realm_access !== undefined || claims.resource_access !== undefined],
  ['cognito', (claims) => claims.token_use !== undefined || claims['cognito:groups'] !== undefined],
  ['entra', (claims) => claims.tid !== undefined && claims.ver !== undefined],
  ['okta', (claims) => claims.cid !== undefined],
  ['auth0', ({ sub }) => typeof sub === 'string' && /^auth0\||@clients$/.test(sub)],
];

/** @param issuer `iss` of a token, or a configured issuer. */
export function guessProvider(issuer: unknown, claims: Claims = {}): Provider | undefined {
  const url = typeof issuer === 'string' && URL.canParse(issuer) ? new URL(issuer) : undefined;
  const byHost = url && HOSTS.find(([, host]) => host.test(url.hostname));
  if (byHost) return byHost[0];
  if (url && /\/realms\/[^/]+\/?$/.test(url.pathname)) return 'keycloak';
  return MARKS.find(([, has]) => has(claims))?.[0];
}

/** The configured preset counts for tokens of its issuer; other tokens are guessed. */
export function providerOf(
  claims: Claims,
  { issuer, preset }: IssuerSettings,
  isOfIssuer: boolean,
): Provider | undefined {
  const configured = preset === 'generic' ? guessProvider(issuer) : preset;
  const guessed = guessProvider(claims.iss, claims);
  return isOfIssuer ? (configured ?? guessed) : (guessed ?? configured);
}

/** Version and tenant of an Entra issuer. */
export function entraIssuer(issuer: unknown): { version: 1 | 2; tenant: string } | undefined {
  if (typeof issuer !== 'string' || guessProvider(issuer) !== 'entra') return undefined;
  const [, tenant = '', version] = new URL(issuer).pathname.split('/');
  return { version: version === 'v2.0' ? 2 : 1, tenant };
}
