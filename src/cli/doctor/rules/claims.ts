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
      message: `It is no access token as the preset ${issuer.preset} knows them: ${PRESET_FACTS[issuer.preset].rejectTokenKind(claims) ?? 'it has a claim that they never have'}.`,
      providerFix: 'Have the client send the access_token of the token answer.',
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
        message: `The claims are looked for where ${place} has them, and this looks like a token of ${PROVIDER_NAMES[provider]}.`,
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
          'The token has no sub. Keycloak from 25 on writes it by the client scope basic, and lightweight access tokens leave it out.',
        providerFix:
          'Add the client scope basic to the client as a default one, and switch "Always use lightweight access token" off.',
      },
  },
  {
    name: 'subject-missing',
    match: ({ claims }) =>
      claims.sub === undefined && {
        message:
          'The token does not say whom it is about (no sub). Access tokens must (RFC 9068 section 2.2); some providers leave it out of tokens that a program got for itself (client credentials).',
        providerFix:
          'Have the client log a person in; or have the provider write the client into sub where a program acts for itself.',
      },
  },
  {
    name: 'role-as-text',
    match: ({ claims, issuer, setting }) => {
      const place = oddRole(claims, issuer);
      if (!place || typeof place.value !== 'string') return undefined;
      const several = /[\s,;[\]{}]/.test(place.value.trim());
      return {
        message: `${escapeControlChars(place.name)} is a text, and roles are a list of texts here.${several ? ' The text looks like several roles in one.' : ''}`,
        providerFix: `Have the provider write a list: ["…"]. Keycloak: "Multivalued" of the mapper; elsewhere a claim with multiple values.`,
        serverFix: several
          ? `Or say what separates the roles in the text, such as a comma or a space: ${setting('roles_separator')}.`
          : `Or name the place of the roles yourself: ${setting('claims')}. A text in a place named there is one role. Or say what separates several: ${setting('roles_separator')}.`,
      };
    },
  },
  {
    name: 'role-odd',
    match: ({ claims, issuer }) => {
      const place = oddRole(claims, issuer);
      return (
        place && {
          message: `${escapeControlChars(place.name)} is ${Array.isArray(place.value) ? 'a list that does not hold texts alone' : quote(place.value)}, and roles are a list of texts.`,
          providerFix: 'Have the provider write the names of the roles: ["developer"].',
        }
      );
    },
  },
  {
    name: 'claim-missing',
    match: ({ issuer, setting }) => ({
      message:
        'A claim is missing, or is not of the kind that its specification says. What is odd is refused, not guessed at.',
      providerFix:
        'Have the provider write it: sub and a client are in every access token (RFC 9068), scopes and roles are texts or lists of texts.',
      serverFix: `Or say where this provider has it: ${setting('claims')}${issuer.preset === 'generic' ? `, or ${setting('preset')}` : ''}.`,
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
