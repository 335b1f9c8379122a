/** Two issuers that are not the same text: how they come to differ. For a token's `iss`, and for a metadata document. */
import { isLoopbackHost } from '../../../config/rules.js';
import { entraIssuer, guessProvider, PROVIDER_NAMES } from '../providers.js';
import type { Advice, Words } from '../report.js';
import type { NameSetting } from '../setting.js';
import { quoted } from '../../../lib/format-text.js';
import { textOf, type Trap } from '../diagnostic-context.js';
import { GRAPH_TOKEN } from './not-an-access-token.js';

export interface TwoIssuers {
  /** What the token, or the metadata, says. */
  readonly said: string;
  readonly configured: string;
  readonly setting: NameSetting;
}

/** `a` is what was said, `b` what is configured. */
interface ParsedIssuers extends TwoIssuers {
  readonly a: URL;
  readonly b: URL;
}

interface Difference {
  readonly name: string;
  readonly look: (issuers: ParsedIssuers) => Words | undefined | false;
}

/** Of Entra: stands for "any tenant" in addresses, and in no token. */
const ANY_TENANT = /^(common|organizations|consumers)$/;

/** Where metadata is, before the path of the issuer (RFC 8414) or behind it (OpenID Connect Discovery). */
const WELL_KNOWN = /\/\.well-known\/(?:oauth-authorization-server|openid-configuration|[^/]+$)/;

const DIFFERENCES: readonly Difference[] = [
  {
    name: 'well-known-address',
    look: ({ configured, a, b, said, setting }) =>
      isMetadataAddress(configured) &&
      a.host === b.host && {
        says: `The configured issuer is the address of a metadata document. The issuer is ${quoted(said)}, which this document names as "issuer".`,
        here: setting('issuer', said),
      },
  },
  {
    name: 'entra-any-tenant',
    look: ({ configured, setting }) => {
      const tenant = entraIssuer(configured)?.tenant ?? '';
      return (
        ANY_TENANT.test(tenant) && {
          says: `The configured issuer is for ${quoted(tenant)}, and tokens always name the one tenant that issued them.`,
          here: `${setting('issuer', 'https://login.microsoftonline.com/TENANT-ID/v2.0')}, with the id of the tenant; one entry for each tenant that you trust.`,
        }
      );
    },
  },
  {
    name: 'entra-v1-token',
    look: ({ said, configured, setting }) =>
      versionsOf(said, configured) === '1→2' && {
        says: 'This is a version 1.0 token of Entra, and the issuer of version 2.0 is configured.',
        there:
          'In the app registration of the API (not of the client), Manifest: api.requestedAccessTokenVersion = 2 (accessTokenAcceptedVersion in the old form). New tokens then have the other iss.',
        here: `Or accept version 1.0: ${setting('issuer', said)}.`,
      },
  },
  {
    name: 'entra-v2-token',
    look: ({ said, configured, setting }) =>
      versionsOf(said, configured) === '2→1' && {
        says: 'This is a version 2.0 token of Entra, and the issuer of version 1.0 (sts.windows.net) is configured.',
        here: `${setting('issuer', said)}; the audience of such a token is the application id, not api://….`,
      },
  },
  {
    name: 'entra-tenant',
    look: ({ said, configured }) => {
      const [theirs, ours] = [entraIssuer(said), entraIssuer(configured)];
      return (
        theirs &&
        ours &&
        theirs.tenant !== ours.tenant && {
          says: `The token is of another Entra tenant: ${quoted(theirs.tenant)}, not ${quoted(ours.tenant)}.`,
          there:
            'Log in at the tenant that is configured: the authority of the client must name it, not "common". A guest has to name it too.',
          here: 'Or name that tenant as an issuer too, if its people are to come in (IDENTITY_FILE takes several).',
        }
      );
    },
  },
  {
    name: 'trailing-slash',
    look: ({ said, configured, setting }) =>
      withoutSlash(said) === withoutSlash(configured) && {
        says: `The two differ by a slash at the end: ${quoted(said)} and ${quoted(configured)}. They are compared as texts.`,
        here: setting('issuer', said),
      },
  },
  {
    name: 'scheme',
    look: ({ a, b, said, configured }) =>
      a.protocol !== b.protocol &&
      a.host.replace(/:\d+$/, '') === b.host.replace(/:\d+$/, '') && {
        says: `The two differ by http and https: ${quoted(said)} and ${quoted(configured)}.`,
        there:
          'The provider does not know its own public address: it stands behind a proxy that ends TLS. Tell it (Keycloak: hostname, or proxy-headers).',
      },
  },
  {
    name: 'letter-case',
    look: ({ said, configured, setting }) =>
      said.toLowerCase() === configured.toLowerCase() && {
        says: `The two differ by capital letters: ${quoted(said)} and ${quoted(configured)}. They are compared as texts.`,
        here: setting('issuer', said),
      },
  },
  {
    name: 'okta-org-server',
    look: ({ said, a, setting, configured }) =>
      (guessProvider(said) === 'okta' || /\/oauth2\/[^/]+$/.test(new URL(configured).pathname)) &&
      a.pathname === '/' && {
        says: 'The token is of the org authorization server of Okta, whose access tokens are for Okta alone and cannot be verified by others.',
        there: `The client must ask a custom authorization server: https://OKTA-DOMAIN/oauth2/default, or another of Security > API > Authorization Servers.`,
        here: `Its issuer is what is to be configured: ${setting('issuer')}.`,
      },
  },
  {
    name: 'keycloak-auth-path',
    look: ({ a, b, said, setting }) =>
      a.pathname.replace(/^\/auth(?=\/realms\/)/, '') === b.pathname.replace(/^\/auth(?=\/realms\/)/, '') &&
      a.pathname !== b.pathname && {
        says: 'The two differ by /auth, which Keycloak has had in its addresses before release 17, and has where http-relative-path says so.',
        here: setting('issuer', said),
      },
  },
  {
    name: 'other-tenant',
    look: ({ said, configured, a, b }) => {
      const provider = guessProvider(said);
      return (
        a.host !== b.host &&
        provider !== undefined &&
        provider !== 'keycloak' &&
        provider === guessProvider(configured) && {
          says: `The token is of another tenant of ${PROVIDER_NAMES[provider]}: ${quoted(a.host)}, not ${quoted(b.host)}.`,
          there: 'Have the client log in at the tenant that is configured.',
          here: 'Or name that tenant as an issuer too, if its people are to come in (IDENTITY_FILE takes several).',
        }
      );
    },
  },
  {
    name: 'host-alias',
    look: ({ a, b, said, setting }) =>
      a.pathname === b.pathname &&
      mayBeOne(a, b) && {
        says: `The two differ by the host: ${quoted(a.host)} and ${quoted(b.host)}. A provider that is reached by two names, or by a domain of your own, signs with the name that the client used.`,
        there:
          'Let clients use one name only, or fix the name at the provider (Keycloak: hostname; Auth0: the custom domain, for every client).',
        here: `If both are yours, and the other name is the right one: ${setting('issuer', said)}.`,
      },
  },
  {
    name: 'keycloak-realm',
    look: ({ a, b }) =>
      a.host === b.host &&
      /\/realms\//.test(a.pathname) &&
      /\/realms\//.test(b.pathname) && {
        says: `The token is of another realm: ${quoted(realmOf(a))}, not ${quoted(realmOf(b))}.`,
        there: 'Log in at the realm that is configured.',
        here: 'Or name that realm as an issuer too, if its people are to come in (IDENTITY_FILE takes several).',
      },
  },
  {
    name: 'same-host',
    look: ({ a, b, said, setting }) =>
      a.host === b.host && {
        says: `The token is of another issuer on the same host (${quoted(a.pathname)}, not ${quoted(b.pathname)}): another tenant, pool or authorization server.`,
        there: 'Have the client log in where this server expects it.',
        here: `If the other one is the right one: ${setting('issuer', said)}.`,
      },
  },
];

/** @returns what is recognized, first fit; undefined where the two have nothing in common. */
export function compareIssuers(issuers: TwoIssuers): Advice | undefined {
  const both = parsed(issuers);
  for (const { name, look } of both ? DIFFERENCES : []) {
    const words = look(both as ParsedIssuers);
    if (words) return { trap: name, ...words };
  }
  return undefined;
}

/** How near two issuers are: 0 is nearest; undefined where they have nothing in common. */
export function distanceOf(issuers: TwoIssuers): number | undefined {
  const trap = compareIssuers(issuers)?.trap;
  return trap === undefined ? undefined : DIFFERENCES.findIndex(({ name }) => name === trap);
}

export const ISSUER: readonly Trap[] = [
  GRAPH_TOKEN,
  {
    name: 'issuer-missing',
    look: ({ claims }) =>
      typeof claims.iss !== 'string' && {
        says: `The token does not name its issuer: iss is ${quoted(claims.iss)}. Access tokens must (RFC 9068).`,
        there: 'Ask the provider for access tokens that are JWTs, for the API that stands for this server.',
      },
  },
  {
    name: 'google-issuer',
    look: ({ claims }) =>
      claims.iss === 'accounts.google.com' && {
        says: 'Google may name itself without https in ID tokens of a login; such a one is for the client that asked for it.',
        there:
          'Send an ID token that was made for this server (by a service account, or by Identity-Aware Proxy).',
      },
  },
  ...DIFFERENCES.map(({ name, look }): Trap => ({
    name,
    look: ({ claims, issuer, setting }) => {
      const issuers = parsed({ said: textOf(claims.iss), configured: issuer.issuer, setting });
      return issuers && look(issuers);
    },
  })),
  {
    name: 'other-issuer',
    look: ({ claims, issuer, setting }) => {
      const provider = guessProvider(claims.iss);
      return {
        says: `The token is of ${quoted(claims.iss)}${provider ? ` (${PROVIDER_NAMES[provider]})` : ''}, and ${quoted(issuer.issuer)} is configured.`,
        there: 'Have the client log in at the configured issuer: this server names it to clients that ask.',
        here: `If the other one is to be trusted: ${setting('issuer')}, or an entry of its own in IDENTITY_FILE.`,
      };
    },
  },
];

function parsed(issuers: TwoIssuers): ParsedIssuers | undefined {
  const { said, configured } = issuers;
  if (!URL.canParse(said) || !URL.canParse(configured)) return undefined;
  return { ...issuers, a: new URL(said), b: new URL(configured) };
}

/** From which version of Entra's issuers to which, where both are of one tenant. */
function versionsOf(said: string, configured: string): string {
  const [theirs, ours] = [entraIssuer(said), entraIssuer(configured)];
  return theirs?.tenant === ours?.tenant ? `${theirs?.version}→${ours?.version}` : '';
}

/** Whether two hosts could be names of one: a stranger must not be proposed as an issuer. */
function mayBeOne(a: URL, b: URL): boolean {
  const areLocal = isLoopbackHost(a.hostname) && isLoopbackHost(b.hostname);
  const domain = ({ hostname }: URL) => hostname.split('.').slice(-2).join('.');
  const hosted = [a, b].filter(({ origin }) => guessProvider(origin) !== undefined).length;
  return areLocal || a.pathname !== '/' || domain(a) === domain(b) || hosted === 1;
}

/** Whether this is the address of a metadata document: no issuer is called like that (RFC 8414 section 2). */
export function isMetadataAddress(url: string): boolean {
  return WELL_KNOWN.test(url);
}

/** The issuer whose metadata would be at this address. */
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
