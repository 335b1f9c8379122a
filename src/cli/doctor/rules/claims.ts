/** Diagnostic rules about claims. */
import { PRESET_FACTS, type Claims } from '../../../auth/presets/presets.js';
import { readClaim } from '../../../lib/claim-path.js';
import { quote, escapeControlChars } from '../../../lib/format-text.js';
import type { IssuerSettings } from '../../../config/settings.js';
import { guessProvider, PROVIDER_NAMES } from '../providers.js';
import type { DiagnosticRule } from '../diagnostic-context.js';
import { ID_TOKEN, NOT_AN_ACCESS_TOKEN } from './not-an-access-token.js';

export const TOKEN_KIND: readonly DiagnosticRule[] = [
  ...NOT_AN_ACCESS_TOKEN,
  {
    name: 'foreign-mark',
    match: ({ issuer, claims }) => ({
      message: `It is not an access token of the preset ${issuer.preset}: ${PRESET_FACTS[issuer.preset].rejectTokenKind(claims) ?? 'it has a claim that access tokens never have'}.`,
      providerFix: 'Have the client send the access_token of the token response.',
    }),
  },
];

export const CLAIMS: readonly DiagnosticRule[] = [
  ID_TOKEN,
  {
    name: 'preset-other',
    match: ({ issuer, claims, setting }) => {
      const provider = guessProvider(claims.iss, claims);
      if (!provider || provider === issuer.preset) return undefined;
      const place = issuer.preset === 'generic' ? 'RFC 9068' : PROVIDER_NAMES[issuer.preset];
      return {
        message: `The gateway reads the claims of ${place}, but this looks like a token of ${PROVIDER_NAMES[provider]}.`,
        serverFix: `${setting('preset', provider)}.`,
      };
    },
  },
  {
    name: 'subject-missing-keycloak',
    match: ({ claims, provider }) =>
      claims.sub === undefined &&
      provider === 'keycloak' && {
        message:
          'The token has no sub. Keycloak 25 and later adds it with the client scope basic, and lightweight access tokens omit it.',
        providerFix:
          'Add the client scope basic to the client as a default scope, and switch "Always use lightweight access token" off.',
      },
  },
  {
    name: 'subject-missing',
    match: ({ claims }) =>
      claims.sub === undefined && {
        message:
          'The token has no subject (no sub). Access tokens require it (RFC 9068 section 2.2); some providers omit it from client credentials tokens.',
        providerFix:
          'Have the client log in a user; or have the provider write the client id into sub for a workload.',
      },
  },
  {
    name: 'role-as-text',
    match: ({ claims, issuer, setting }) => {
      const place = oddRole(claims, issuer);
      if (!place || typeof place.value !== 'string') return undefined;
      const several = /[\s,;[\]{}]/.test(place.value.trim());
      return {
        message: `${escapeControlChars(place.name)} is a text, but roles must be a list of strings.${several ? ' The text seems to contain several roles.' : ''}`,
        providerFix: `Have the provider write a list: ["…"]. Keycloak: "Multivalued" of the mapper; other providers: a claim with multiple values.`,
        serverFix: several
          ? `Or configure the separator of the roles, for example a comma or a space: ${setting('roles_separator')}.`
          : `Or name the claim of the roles: ${setting('claims')}. A string in that claim is one role. Or configure a separator for several roles: ${setting('roles_separator')}.`,
      };
    },
  },
  {
    name: 'role-odd',
    match: ({ claims, issuer }) => {
      const place = oddRole(claims, issuer);
      return (
        place && {
          message: `${escapeControlChars(place.name)} is ${Array.isArray(place.value) ? 'a list with other values than strings' : quote(place.value)}, but roles must be a list of strings.`,
          providerFix: 'Have the provider write the names of the roles: ["developer"].',
        }
      );
    },
  },
  {
    name: 'claim-missing',
    match: ({ issuer, setting }) => ({
      message:
        'A claim is missing or has the wrong type. The gateway rejects such a token and does not guess.',
      providerFix:
        'Have the provider correct the claim: every access token has sub and a client (RFC 9068); scopes and roles are strings or lists of strings.',
      serverFix: `Or name the claim that this provider uses: ${setting('claims')}${issuer.preset === 'generic' ? `, or ${setting('preset')}` : ''}.`,
    }),
  },
];

/** First role claim with an unreadable value. */
function oddRole(claims: Claims, issuer: IssuerSettings): { name: string; value: unknown } | undefined {
  const { roles, roleIds, moreRoles, singleRole } = PRESET_FACTS[issuer.preset];
  const own = issuer.claims.roles;
  const readsText = singleRole || own !== undefined || issuer.rolesSeparator !== undefined;
  const isOneText = (value: unknown) => readsText && typeof value === 'string';
  const isTexts = (value: unknown) => Array.isArray(value) && value.every((one) => typeof one === 'string');
  const named = (own ?? [...roles, ...(issuer.roleMap ? roleIds : [])]).map((name) => ({
    name,
    value: readClaim(claims, name),
  }));
  const more = own ? [] : moreRoles(claims, issuer.audience);
  return [...named, ...more.map((value) => ({ name: 'The claim with the roles', value }))].find(
    ({ value }) => value !== undefined && !isTexts(value) && !isOneText(value),
  );
}
