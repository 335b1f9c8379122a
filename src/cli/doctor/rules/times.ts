/** Diagnostic rules about times and lifetimes. */
import type { Provider } from '../providers.js';
import { duration, formatRelativeTime, quote } from '../../../lib/format-text.js';
import type { DiagnosticContext, DiagnosticRule } from '../diagnostic-context.js';

/** Manually set clocks differ by minutes; larger differences have another cause. */
const CLOCKS_DIFFER_SECONDS = 600;
/** The year 5138 in seconds. */
const MILLISECONDS_FROM = 1e11;

const MILLISECONDS: DiagnosticRule = {
  name: 'milliseconds',
  match: ({ claims }) => {
    const names = (['exp', 'nbf', 'iat'] as const).filter((name) => isInMilliseconds(claims[name]));
    return (
      names.length > 0 && {
        message: `${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} so large that the unit must be milliseconds. Times in tokens are in seconds (RFC 7519).`,
        providerFix: 'A mapper, hook or action of the provider writes milliseconds: correct it to seconds.',
      }
    );
  },
};

export const TIMES: readonly DiagnosticRule[] = [
  {
    name: 'time-not-a-number',
    match: ({ reason, claims }) =>
      reason === 'token_claims' && {
        message: `Times are numbers of seconds since 1970 (RFC 7519); this token has exp ${kindOf(claims.exp)}, nbf ${kindOf(claims.nbf)}, iat ${kindOf(claims.iat)}.`,
        providerFix:
          'A mapper, hook or action of the provider writes strings, or removes the claims: correct it.',
      },
  },
  MILLISECONDS,
  {
    name: 'clock-behind',
    match: ({ claims, now, issuer, setting }) => {
      const ahead = beginning(claims) - now;
      return (
        ahead > 0 &&
        ahead < CLOCKS_DIFFER_SECONDS && {
          message: `The token was issued ${duration(ahead)} in the future: the clock of this machine is behind that of the provider.`,
          providerFix: 'Synchronize both machines with NTP.',
          serverFix: `${setting('clock_tolerance_seconds')} (now ${issuer.clockToleranceSeconds}, at most 60) tolerates a small difference.`,
        }
      );
    },
  },
  {
    name: 'not-yet-valid',
    match: ({ reason, claims, now }) =>
      reason === 'token_not_yet_valid' && {
        message: `The token becomes valid ${formatRelativeTime(beginning(claims), now)}.`,
        providerFix:
          'Wait, or get another token. For a new token, one of the clocks is wrong: check the date of both machines.',
      },
  },
  {
    name: 'just-expired',
    match: ({ claims, now, issuer, setting }) => {
      const past = now - numberOf(claims.exp);
      return (
        past < CLOCKS_DIFFER_SECONDS && {
          message: `The token expired ${duration(past)} ago; it was valid for ${lifetimeOf(claims)}.`,
          providerFix: 'Get a new token: clients renew a token before it expires.',
          serverFix: `For a new token, the clock of this machine is ahead: synchronize it with NTP. ${setting('clock_tolerance_seconds')} (now ${issuer.clockToleranceSeconds}, at most 60) tolerates a small difference.`,
        }
      );
    },
  },
  {
    name: 'expired',
    match: ({ claims, now }) => ({
      message: `The token expired ${formatRelativeTime(numberOf(claims.exp), now)}; it was valid for ${lifetimeOf(claims)}.`,
      providerFix: 'Get a new token: the client must renew its tokens.',
    }),
  },
];

/** Lifetime setting of each provider, and its default. */
const LIFETIMES: Partial<Record<Provider, string>> = {
  entra:
    'Entra chooses 60 to 90 minutes at random. A token lifetime policy (Microsoft Graph) for the API changes that; allowing 6000 seconds is usual.',
  auth0:
    'Auth0 gives 24 hours: APIs > the API > Settings > Maximum Access Token Lifetime (Token Expiration).',
  keycloak:
    'Realm settings > Tokens > Access Token Lifespan, or Advanced > Access Token Lifespan of the client; 5 minutes is its default.',
  okta: 'Security > API > Authorization Servers > Access Policies > the rule: Access token lifetime; 1 hour is its default.',
  cognito: 'App client > Access token expiration; 60 minutes is its default.',
  ping: 'The access token manager (PingFederate; 120 minutes is its default), or the resource (PingOne), has the lifetime.',
};

export const LIFETIME: readonly DiagnosticRule[] = [
  MILLISECONDS,
  {
    name: 'no-iat',
    match: ({ claims, issuer }) =>
      claims.iat === undefined &&
      !issuer.introspection && {
        message: 'The token has no issue time (iat), so its lifetime is unknown (RFC 9068 section 2.2).',
        providerFix: 'Have the provider write iat into access tokens.',
      },
  },
  {
    name: 'lifetime-too-long',
    match: ({ reason, claims, issuer, provider, setting, now }) => {
      if (reason !== 'token_lifetime') return undefined;
      const lifetime = numberOf(claims.exp) - (claims.iat === undefined ? now : numberOf(claims.iat));
      return {
        message: `The lifetime of the token is ${duration(lifetime)} (${Math.round(lifetime)} seconds); the limit is ${duration(issuer.maxTokenLifetimeSeconds)} (${issuer.maxTokenLifetimeSeconds}), because a stolen token works until it expires.`,
        providerFix:
          (provider && LIFETIMES[provider]) ?? 'Have the provider issue access tokens for a shorter time.',
        serverFix: `Or accept it: ${setting('max_token_lifetime_seconds', Math.ceil(lifetime))}.`,
      };
    },
  },
  {
    name: 'no-lifetime',
    match: ({ claims }) => ({
      message: `The times of the token are inconsistent: exp is ${kindOf(claims.exp)}, iat ${kindOf(claims.iat)}, but exp must be after iat.`,
      providerFix: 'A mapper, hook or action of the provider writes wrong values: correct it.',
    }),
  },
];

/** True for milliseconds or smaller units. */
export function isInMilliseconds(value: unknown): boolean {
  return numberOf(value) > MILLISECONDS_FROM;
}

/** A number, or NaN. */
function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : NaN;
}

/** Later of `iat` and `nbf`. */
function beginning({ iat, nbf }: DiagnosticContext['claims']): number {
  return Math.max(...[iat, nbf].filter((time) => typeof time === 'number'));
}

function kindOf(value: unknown): string {
  return typeof value === 'number' ? 'a number' : typeof value === 'string' ? 'a text' : quote(value);
}

function lifetimeOf({ exp, iat }: DiagnosticContext['claims']): string {
  const lifetime = numberOf(exp) - numberOf(iat);
  return Number.isNaN(lifetime) ? 'an unknown time' : duration(lifetime);
}
