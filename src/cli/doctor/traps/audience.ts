/** For whom a token is, where that is not this server. */
import { PRESET_FACTS } from '../../../auth/presets/presets.js';
import { isLoopbackHost } from '../../../config/rules.js';
import type { Words } from '../report.js';
import type { NameSetting } from '../setting.js';
import { listed, quoted } from '../../../lib/format-text.js';
import { textsOf, type Situation, type Trap } from '../diagnostic-context.js';
import { GRAPH_TOKEN, NOT_AN_ACCESS_TOKEN } from './not-an-access-token.js';

export const AUDIENCE: readonly Trap[] = [
  GRAPH_TOKEN,
  ...NOT_AN_ACCESS_TOKEN,
  {
    name: 'entra-audience-spelling',
    look: ({ claims, issuer, setting }) => {
      const said = textsOf(claims.aud).find((one) => issuer.audience.some((ours) => isTwin(one, ours)));
      return (
        said !== undefined && {
          says: `The token is for ${quoted(said)}, which is the other name of what is configured (${listed(issuer.audience)}): Entra writes the application id in tokens of version 2.0, and may write api://… in those of version 1.0.`,
          here: setting('audience', [...issuer.audience, said].join(',')),
        }
      );
    },
  },
  {
    name: 'audience-loopback',
    look: ({ claims, issuer, resource, setting }) => {
      const said = textsOf(claims.aud).find((one) =>
        issuer.audience.some((ours) => differByLoopbackName(ours, one)),
      );
      return said !== undefined && loopbackWords(said, issuer.audience, resource, setting);
    },
  },
  {
    name: 'audience-nearly',
    look: ({ claims, issuer, setting }) => {
      const said = textsOf(claims.aud).find((one) =>
        issuer.audience.some((ours) => plain(ours) === plain(one)),
      );
      return (
        said !== undefined && {
          says: `The token is for ${quoted(said)}, and ${listed(issuer.audience)} is accepted: nearly the same, but they are compared as texts.`,
          there: 'Write it there as it is here: clients ask for the resource identifier of this server.',
          here: `Or ${setting('audience', said)}.`,
        }
      );
    },
  },
  {
    name: 'keycloak-audience-mapper',
    look: (situation) =>
      situation.provider === 'keycloak' && {
        says: `${isFor(situation)}: Keycloak puts nothing about this server into a token unless it is told to.`,
        there: `In the realm, Client scopes: make one (or open the -dedicated one of the client), Add mapper > By configuration > Audience, Included Custom Audience ${situation.issuer.audience[0]}, Add to access token on; then give that client scope to the client.`,
        ...otherAudience(situation),
      },
  },
  {
    name: 'auth0-userinfo-only',
    look: (situation) => {
      const audience = textsOf(situation.claims.aud);
      return (
        situation.provider === 'auth0' &&
        audience.length > 0 &&
        audience.every((one) => one.endsWith('/userinfo')) && {
          says: `${isFor(situation)}: no API was asked for.`,
          there: `The client must ask with audience=${situation.issuer.audience[0]}, the identifier of the API made for this server.`,
        }
      );
    },
  },
  {
    name: 'okta-audience',
    look: (situation) =>
      situation.provider === 'okta' && {
        says: `${isFor(situation)}: in Okta the audience is a setting of the authorization server, the same for all of its tokens.`,
        there: `Security > API > Authorization Servers, the one of this issuer, Settings, Audience: ${situation.issuer.audience[0]}. An authorization server for this server alone is best.`,
        ...otherAudience(situation),
      },
  },
  {
    name: 'cognito-audience',
    look: (situation) =>
      situation.provider === 'cognito' && {
        says: `${isFor(situation)}: Amazon Cognito writes aud only where the client asked for a resource (resource=…), and names the client otherwise.`,
        there: `Have the client send resource=${situation.resource}; the resource server of the user pool must have that identifier.`,
        ...(typeof situation.claims.client_id === 'string' && {
          here: `Or name the client, if it is a client of this server and of nothing else: ${situation.setting('audience', situation.claims.client_id)}.`,
        }),
      },
  },
  {
    name: 'audience-missing',
    look: (situation) =>
      situation.claims.aud === undefined && {
        says: 'The token does not say for whom it is (no aud).',
        there: `Define an API or resource for this server at the provider, with the identifier ${situation.issuer.audience[0]}, and have the client ask for it: resource=${situation.resource} (RFC 8707).`,
      },
  },
  {
    name: 'audience-is-client',
    look: (situation) =>
      textsOf(situation.claims.aud).some((one) => clientsOf(situation).includes(one)) && {
        says: `${isFor(situation)}, which is the client itself: no resource was asked for.`,
        there: `Define an API or resource for this server at the provider, with the identifier ${situation.issuer.audience[0]}, and have the client ask for it.`,
      },
  },
  {
    name: 'other-audience',
    look: (situation) => ({
      says: `${isFor(situation)}.`,
      there: `Have the client ask for a token for this server: resource=${situation.resource} (RFC 8707), or what the provider has in its place.`,
      ...otherAudience(situation),
    }),
  },
];

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An application id and the address that Entra makes of it, or the other way round. */
function isTwin(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return GUID.test(short) && new RegExp(`^api://(.*/)?${short}$`, 'i').test(long);
}

/** An accepted audience that most likely means this resource: another name of this machine, a slash, capitals, the scheme. */
export function audiencesMeant(accepted: readonly string[], resource: string): string | undefined {
  return accepted.find((one) => plain(one) === plain(resource) || differByLoopbackName(one, resource));
}

/** Whether two audiences are one server of this machine under two names: `localhost`, `127.0.0.1`, `[::1]`. */
export function differByLoopbackName(one: string, other: string): boolean {
  return one !== other && URL.canParse(one) && URL.canParse(other) && loopback(one) === loopback(other);
}

/** The same text for every name of this machine; for other hosts a symbol, which equals nothing. */
function loopback(audience: string): string | symbol {
  const url = new URL(audience);
  if (!isLoopbackHost(url.hostname)) return Symbol('elsewhere');
  url.hostname = 'localhost';
  return plain(url.href);
}

/** @param said the audience of the token; `accepted` are those of this server. */
function loopbackWords(
  said: string,
  accepted: readonly string[],
  resource: string,
  setting: NameSetting,
): Words {
  return {
    says: `The token is for ${quoted(said)}, and ${listed(accepted)} is accepted. localhost and 127.0.0.1 are the same machine, but audiences are compared as texts.`,
    there: `Have clients use the address ${quoted(resource)}, and ask for a token for it.`,
    here: `Or set PUBLIC_URL to the origin that clients use, ${quoted(new URL(said).origin)}${accepted.includes(resource) ? '' : `, and ${setting('audience', said)}`}.`,
  };
}

/** Without what people get wrong: capitals, the slash at the end, the scheme. */
function plain(audience: string): string {
  return audience
    .toLowerCase()
    .replace(/\/$/, '')
    .replace(/^https?:\/\//, '');
}

function isFor(situation: Situation): string {
  const { claims, issuer } = situation;
  const audience = PRESET_FACTS[issuer.preset].audienceOf(claims);
  const said = audience === undefined ? 'nobody (no aud)' : quoted(audience);
  return `The token is for ${said}, and ${listed(issuer.audience)} is accepted`;
}

function clientsOf({ claims }: Situation): readonly unknown[] {
  return [claims.azp, claims.client_id, claims.cid, claims.appid];
}

/** Audiences that tokens have by themselves: to accept one would be to accept every token of the issuer. */
const EVERYBODYS = /^(account|.*\/userinfo|https:\/\/[^/]+\.okta\.com)$/;

function otherAudience({ setting, claims }: Situation): Pick<Words, 'here'> {
  const own = textsOf(claims.aud).filter((audience) => !EVERYBODYS.test(audience));
  if (own.length !== 1) return {};
  const value = setting('audience', own[0]);
  return { here: `Only if that audience stands for this server and for nothing else: ${value}.` };
}
