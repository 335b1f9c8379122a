/** Explains differences between two issuers, for `iss` of a token and for a metadata document. */
import { isLoopbackHost } from '../../../config/rules.js';
import { entraIssuer, guessProvider, PROVIDER_NAMES } from '../providers.js';
import type { Advice, Explanation } from '../report.js';
import type { NameSetting } from '../setting.js';
import { quote } from '../../../lib/format-text.js';
import { textOf, type DiagnosticRule } from '../diagnostic-context.js';
import { GRAPH_TOKEN } from './not-an-access-token.js';

export interface TwoIssuers {
  /** Issuer in the token or the metadata. */
  readonly said: string;
  readonly configured: string;
  readonly setting: NameSetting;
}

/** `a` is the found issuer, `b` the configured one. */
interface ParsedIssuers extends TwoIssuers {
  readonly a: URL;
  readonly b: URL;
}

interface Difference {
  readonly name: string;
  readonly match: (issuers: ParsedIssuers) => Explanation | undefined | false;
}

/** Entra: means "any tenant" in addresses, never in tokens. */
const ANY_TENANT = /^(common|organizations|consumers)$/;

/** Metadata path before (RFC 8414) or after (OpenID Connect Discovery) the path of the issuer. */
const WELL_KNOWN = /\/\.well-known\/(?:oauth-authorization-server|openid-configuration|[^/]+$)/;

const DIFFERENCES: readonly Difference[] = [
  {
    name: 'well-known-address',
    match: ({ configured, a, b, said, setting }) =>
      isMetadataAddress(configured) &&
      a.host === b.host && {
        message: `The configured issuer is the address of a metadata document. The issuer is ${quote(said)}, which this document names as "issuer".`,
        serverFix: setting('issuer', said),
      },
  },
  {
    name: 'entra-any-tenant',
    match: ({ configured, setting }) => {
      const tenant = entraIssuer(configured)?.tenant ?? '';
      return (
        ANY_TENANT.test(tenant) && {
          message: `The configured issuer is for ${quote(tenant)}, but tokens always name the tenant that issued them.`,
          serverFix: `${setting('issuer', 'https://login.microsoftonline.com/TENANT-ID/v2.0')}, with the id of the tenant; add one entry for each trusted tenant.`,
        }
      );
    },
  },
  {
    name: 'entra-v1-token',
    match: ({ said, configured, setting }) =>
      versionsOf(said, configured) === '1→2' && {
        message: 'This is a version 1.0 token of Entra, but the issuer of version 2.0 is configured.',
        providerFix:
          'In the app registration of the API (not of the client), Manifest: api.requestedAccessTokenVersion = 2 (accessTokenAcceptedVersion in the old form). New tokens then have the other iss.',
        serverFix: `Or accept version 1.0: ${setting('issuer', said)}.`,
      },
  },
  {
    name: 'entra-v2-token',
    match: ({ said, configured, setting }) =>
      versionsOf(said, configured) === '2→1' && {
        message:
          'This is a version 2.0 token of Entra, but the issuer of version 1.0 (sts.windows.net) is configured.',
        serverFix: `${setting('issuer', said)}; the audience of such a token is the application id, not api://….`,
      },
  },
  {
    name: 'entra-tenant',
    match: ({ said, configured }) => {
      const [theirs, ours] = [entraIssuer(said), entraIssuer(configured)];
      return (
        theirs &&
        ours &&
        theirs.tenant !== ours.tenant && {
          message: `The token is of another Entra tenant: ${quote(theirs.tenant)}, not ${quote(ours.tenant)}.`,
          providerFix:
            'Log in at the configured tenant: the authority of the client must name it in place of "common", also for a guest.',
          serverFix:
            'Or name that tenant as an issuer too, if its users need access (IDENTITY_FILE accepts several).',
        }
      );
    },
  },
  {
    name: 'trailing-slash',
    match: ({ said, configured, setting }) =>
      withoutSlash(said) === withoutSlash(configured) && {
        message: `The issuers differ by a slash at the end: ${quote(said)} and ${quote(configured)}. They are compared as texts.`,
        serverFix: setting('issuer', said),
      },
  },
  {
    name: 'scheme',
    match: ({ a, b, said, configured }) =>
      a.protocol !== b.protocol &&
      a.host.replace(/:\d+$/, '') === b.host.replace(/:\d+$/, '') && {
        message: `The issuers differ by http and https: ${quote(said)} and ${quote(configured)}.`,
        providerFix:
          'The provider is behind a proxy that terminates TLS and does not use its public address. Configure that address (Keycloak: hostname, or proxy-headers).',
      },
  },
  {
    name: 'letter-case',
    match: ({ said, configured, setting }) =>
      said.toLowerCase() === configured.toLowerCase() && {
        message: `The issuers differ by capital letters: ${quote(said)} and ${quote(configured)}. They are compared as texts.`,
        serverFix: setting('issuer', said),
      },
  },
  {
    name: 'okta-org-server',
    match: ({ said, a, setting, configured }) =>
      (guessProvider(said) === 'okta' || /\/oauth2\/[^/]+$/.test(new URL(configured).pathname)) &&
      a.pathname === '/' && {
        message:
          'The token is of the org authorization server of Okta, whose access tokens only Okta can verify.',
        providerFix: `The client must use a custom authorization server: https://OKTA-DOMAIN/oauth2/default, or another of Security > API > Authorization Servers.`,
        serverFix: `Configure the issuer of that server: ${setting('issuer')}.`,
      },
  },
  {
    name: 'keycloak-auth-path',
    match: ({ a, b, said, setting }) =>
      a.pathname.replace(/^\/auth(?=\/realms\/)/, '') === b.pathname.replace(/^\/auth(?=\/realms\/)/, '') &&
      a.pathname !== b.pathname && {
        message:
          'The issuers differ by /auth, which is part of the addresses of Keycloak before release 17, or with http-relative-path.',
        serverFix: setting('issuer', said),
      },
  },
  {
    name: 'other-tenant',
    match: ({ said, configured, a, b }) => {
      const provider = guessProvider(said);
      return (
        a.host !== b.host &&
        provider !== undefined &&
        provider !== 'keycloak' &&
        provider === guessProvider(configured) && {
          message: `The token is of another tenant of ${PROVIDER_NAMES[provider]}: ${quote(a.host)}, not ${quote(b.host)}.`,
          providerFix: 'Have the client log in at the configured tenant.',
          serverFix:
            'Or name that tenant as an issuer too, if its users need access (IDENTITY_FILE accepts several).',
        }
      );
    },
  },
  {
    name: 'host-alias',
    match: ({ a, b, said, setting }) =>
      a.pathname === b.pathname &&
      mayBeOne(a, b) && {
        message: `The issuers differ by the host: ${quote(a.host)} and ${quote(b.host)}. A provider with two host names, or with a custom domain, signs with the name that the client used.`,
        providerFix:
          'Let clients use one name only, or fix the name at the provider (Keycloak: hostname; Auth0: the custom domain, for every client).',
        serverFix: `If both are yours, and the name in the token is correct: ${setting('issuer', said)}.`,
      },
  },
  {
    name: 'keycloak-realm',
    match: ({ a, b }) =>
      a.host === b.host &&
      /\/realms\//.test(a.pathname) &&
      /\/realms\//.test(b.pathname) && {
        message: `The token is of another realm: ${quote(realmOf(a))}, not ${quote(realmOf(b))}.`,
        providerFix: 'Log in at the configured realm.',
        serverFix:
          'Or name that realm as an issuer too, if its users need access (IDENTITY_FILE accepts several).',
      },
  },
  {
    name: 'same-host',
    match: ({ a, b, said, setting }) =>
      a.host === b.host && {
        message: `The token is of another issuer on the same host (${quote(a.pathname)}, not ${quote(b.pathname)}): another tenant, pool or authorization server.`,
        providerFix: 'Have the client log in at the configured issuer.',
        serverFix: `If the issuer of the token is correct: ${setting('issuer', said)}.`,
      },
  },
];

/** @returns the first matching explanation; undefined for unrelated issuers. */
export function compareIssuers(issuers: TwoIssuers): Advice | undefined {
  const both = parsed(issuers);
  for (const { name, match } of both ? DIFFERENCES : []) {
    const words = match(both as ParsedIssuers);
    if (words) return { rule: name, ...words };
  }
  return undefined;
}

/** Distance of two issuers, 0 is nearest; undefined for unrelated issuers. */
export function distanceOf(issuers: TwoIssuers): number | undefined {
  const rule = compareIssuers(issuers)?.rule;
  return rule === undefined ? undefined : DIFFERENCES.findIndex(({ name }) => name === rule);
}

export const ISSUER: readonly DiagnosticRule[] = [
  GRAPH_TOKEN,
  {
    name: 'issuer-missing',
    match: ({ claims }) =>
      typeof claims.iss !== 'string' && {
        message: `The token does not name its issuer: iss is ${quote(claims.iss)}. Access tokens require it (RFC 9068).`,
        providerFix: 'Ask the provider for access tokens that are JWTs, for the API of this server.',
      },
  },
  {
    name: 'google-issuer',
    match: ({ claims }) =>
      claims.iss === 'accounts.google.com' && {
        message:
          'Google can omit https in the iss of login ID tokens; such a token is for the client that requested it.',
        providerFix:
          'Send an ID token that was made for this server (by a service account, or by Identity-Aware Proxy).',
      },
  },
  ...DIFFERENCES.map(({ name, match }): DiagnosticRule => ({
    name,
    match: ({ claims, issuer, setting }) => {
      const issuers = parsed({ said: textOf(claims.iss), configured: issuer.issuer, setting });
      return issuers && match(issuers);
    },
  })),
  {
    name: 'other-issuer',
    match: ({ claims, issuer, setting }) => {
      const provider = guessProvider(claims.iss);
      return {
        message: `The token is of ${quote(claims.iss)}${provider ? ` (${PROVIDER_NAMES[provider]})` : ''}, and ${quote(issuer.issuer)} is configured.`,
        providerFix:
          'Have the client log in at the configured issuer, which this server publishes in its metadata.',
        serverFix: `To trust the issuer of the token: ${setting('issuer')}, or another entry in IDENTITY_FILE.`,
      };
    },
  },
];

function parsed(issuers: TwoIssuers): ParsedIssuers | undefined {
  const { said, configured } = issuers;
  if (!URL.canParse(said) || !URL.canParse(configured)) return undefined;
  return { ...issuers, a: new URL(said), b: new URL(configured) };
}

/** Versions of two Entra issuers of one tenant. */
function versionsOf(said: string, configured: string): string {
  const [theirs, ours] = [entraIssuer(said), entraIssuer(configured)];
  return theirs?.tenant === ours?.tenant ? `${theirs?.version}→${ours?.version}` : '';
}

/** True if both hosts may belong together: unrelated hosts must not be proposed. */
function mayBeOne(a: URL, b: URL): boolean {
  const areLocal = isLoopbackHost(a.hostname) && isLoopbackHost(b.hostname);
  const domain = ({ hostname }: URL) => hostname.split('.').slice(-2).join('.');
  const hosted = [a, b].filter(({ origin }) => guessProvider(origin) !== undefined).length;
  return areLocal || a.pathname !== '/' || domain(a) === domain(b) || hosted === 1;
}

/** True for the address of a metadata document, which is never an issuer (RFC 8414 section 2). */
export function isMetadataAddress(url: string): boolean {
  return WELL_KNOWN.test(url);
}

/** Issuer of a metadata address. */
export function issuerOfMetadata(url: string): string {
  const { origin, pathname } = new URL(url);
  const path = pathname.replace(WELL_KNOWN, '').replace(/\/$/, '');
  return origin + path;
}

function withoutSlash(text: string): string {
  return text.replace(/\/$/, '');
}

function realmOf(url: URL): string {
  return /\/realms\/([^/]*)/.exec(url.pathname)?.[1] ?? '';
}
