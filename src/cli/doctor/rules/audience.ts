/** Diagnostic rules about the audience. */
import { PRESET_FACTS } from '../../../auth/presets/presets.js';
import { isLoopbackHost } from '../../../config/rules.js';
import type { Explanation } from '../report.js';
import type { NameSetting } from '../setting.js';
import { formatList, quote } from '../../../lib/format-text.js';
import { textsOf, type DiagnosticContext, type DiagnosticRule } from '../diagnostic-context.js';
import { GRAPH_TOKEN, NOT_AN_ACCESS_TOKEN } from './not-an-access-token.js';

export const AUDIENCE: readonly DiagnosticRule[] = [
  GRAPH_TOKEN,
  ...NOT_AN_ACCESS_TOKEN,
  {
    name: 'entra-audience-spelling',
    match: ({ claims, issuer, setting }) => {
      const said = textsOf(claims.aud).find((one) => issuer.audience.some((ours) => isTwin(one, ours)));
      return (
        said !== undefined && {
          message: `The token is for ${quote(said)}, which is another name of the configured audience (${formatList(issuer.audience)}): Entra writes the application id in tokens of version 2.0, and may write api://… in those of version 1.0.`,
          serverFix: setting('audience', [...issuer.audience, said].join(',')),
        }
      );
    },
  },
  {
    name: 'audience-loopback',
    match: ({ claims, issuer, resource, setting }) => {
      const said = textsOf(claims.aud).find((one) =>
        issuer.audience.some((ours) => differByLoopbackName(ours, one)),
      );
      return said !== undefined && loopbackWords(said, issuer.audience, resource, setting);
    },
  },
  {
    name: 'audience-nearly',
    match: ({ claims, issuer, setting }) => {
      const said = textsOf(claims.aud).find((one) =>
        issuer.audience.some((ours) => plain(ours) === plain(one)),
      );
      return (
        said !== undefined && {
          message: `The token is for ${quote(said)}, and ${formatList(issuer.audience)} is accepted: nearly the same, but audiences are compared as texts.`,
          providerFix:
            'Use the exact value of the gateway at the provider: clients request the resource identifier of this server.',
          serverFix: `Or ${setting('audience', said)}.`,
        }
      );
    },
  },
  {
    name: 'keycloak-audience-mapper',
    match: (context) =>
      context.provider === 'keycloak' && {
        message: `${isFor(context)}: Keycloak adds the audience of this server only with an audience mapper.`,
        providerFix: `In the realm, Client scopes: create a client scope (or open the -dedicated scope of the client), Add mapper > By configuration > Audience, Included Custom Audience ${context.issuer.audience[0]}, Add to access token on; then give that client scope to the client.`,
        ...otherAudience(context),
      },
  },
  {
    name: 'auth0-userinfo-only',
    match: (context) => {
      const audience = textsOf(context.claims.aud);
      return (
        context.provider === 'auth0' &&
        audience.length > 0 &&
        audience.every((one) => one.endsWith('/userinfo')) && {
          message: `${isFor(context)}: the client did not request an API.`,
          providerFix: `The client must send audience=${context.issuer.audience[0]}, the identifier of the API of this server.`,
        }
      );
    },
  },
  {
    name: 'okta-audience',
    match: (context) =>
      context.provider === 'okta' && {
        message: `${isFor(context)}: in Okta, the audience is a setting of the authorization server and applies to all its tokens.`,
        providerFix: `Security > API > Authorization Servers, the one of this issuer, Settings, Audience: ${context.issuer.audience[0]}. Use a separate authorization server for this server.`,
        ...otherAudience(context),
      },
  },
  {
    name: 'cognito-audience',
    match: (context) =>
      context.provider === 'cognito' && {
        message: `${isFor(context)}: Amazon Cognito writes aud only if the client requests a resource (resource=…); otherwise the token names only the client.`,
        providerFix: `Have the client send resource=${context.resource}; the resource server of the user pool must have that identifier.`,
        ...(typeof context.claims.client_id === 'string' && {
          serverFix: `Or accept the client id, if the client uses only this server: ${context.setting('audience', context.claims.client_id)}.`,
        }),
      },
  },
  {
    name: 'audience-missing',
    match: (context) =>
      context.claims.aud === undefined && {
        message: 'The token has no audience (no aud).',
        providerFix: `Define an API or resource for this server at the provider, with the identifier ${context.issuer.audience[0]}, and have the client request it: resource=${context.resource} (RFC 8707).`,
      },
  },
  {
    name: 'audience-is-client',
    match: (context) =>
      textsOf(context.claims.aud).some((one) => clientsOf(context).includes(one)) && {
        message: `${isFor(context)}, which is the client itself: the client did not request a resource.`,
        providerFix: `Define an API or resource for this server at the provider, with the identifier ${context.issuer.audience[0]}, and have the client request it.`,
      },
  },
  {
    name: 'other-audience',
    match: (context) => ({
      message: `${isFor(context)}.`,
      providerFix: `Have the client request a token for this server: resource=${context.resource} (RFC 8707), or the equivalent parameter of the provider.`,
      ...otherAudience(context),
    }),
  },
];

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An application id and its URI form in Entra. */
function isTwin(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return GUID.test(short) && new RegExp(`^api://(.*/)?${short}$`, 'i').test(long);
}

/** Accepted audience that probably means this resource: another loopback name, a slash, case, the scheme. */
export function audiencesMeant(accepted: readonly string[], resource: string): string | undefined {
  return accepted.find((one) => plain(one) === plain(resource) || differByLoopbackName(one, resource));
}

/** True if two audiences differ only in the loopback name: `localhost`, `127.0.0.1`, `[::1]`. */
export function differByLoopbackName(one: string, other: string): boolean {
  return one !== other && URL.canParse(one) && URL.canParse(other) && loopback(one) === loopback(other);
}

/** Equal for all loopback names; for other hosts a unique symbol. */
function loopback(audience: string): string | symbol {
  const url = new URL(audience);
  if (!isLoopbackHost(url.hostname)) return Symbol('elsewhere');
  url.hostname = 'localhost';
  return plain(url.href);
}

/** @param said audience of the token; `accepted` are those of this server. */
function loopbackWords(
  said: string,
  accepted: readonly string[],
  resource: string,
  setting: NameSetting,
): Explanation {
  return {
    message: `The token is for ${quote(said)}, and ${formatList(accepted)} is accepted. localhost and 127.0.0.1 are the same machine, but audiences are compared as texts.`,
    providerFix: `Have clients use the address ${quote(resource)} and request a token for it.`,
    serverFix: `Or set PUBLIC_URL to the origin that clients use, ${quote(new URL(said).origin)}${accepted.includes(resource) ? '' : `, and ${setting('audience', said)}`}.`,
  };
}

/** Without usual mistakes: case, final slash, scheme. */
function plain(audience: string): string {
  return audience
    .toLowerCase()
    .replace(/\/$/, '')
    .replace(/^https?:\/\//, '');
}

function isFor(context: DiagnosticContext): string {
  const { claims, issuer } = context;
  const audience = PRESET_FACTS[issuer.preset].audienceOf(claims);
  const said = audience === undefined ? 'no audience (no aud)' : quote(audience);
  return `The token is for ${said}, and ${formatList(issuer.audience)} is accepted`;
}

function clientsOf({ claims }: DiagnosticContext): readonly unknown[] {
  return [claims.azp, claims.client_id, claims.cid, claims.appid];
}

/** Default audiences: accepting one would accept every token of the issuer. */
const DEFAULT_AUDIENCES = /^(account|.*\/userinfo|https:\/\/[^/]+\.okta\.com)$/;

function otherAudience({ setting, claims }: DiagnosticContext): Pick<Explanation, 'serverFix'> {
  const own = textsOf(claims.aud).filter((audience) => !DEFAULT_AUDIENCES.test(audience));
  if (own.length !== 1) return {};
  const value = setting('audience', own[0]);
  return { serverFix: `Only if that audience identifies this server alone: ${value}.` };
}
