/** What a token is by its claims, and what a principal needs of them. */
import { PRESET_FACTS } from '../../auth/presets.js';
import { guessProvider, PROVIDER_NAMES } from '../providers.js';
import type { Trap } from '../situation.js';
import { ID_TOKEN, NOT_AN_ACCESS_TOKEN } from './not-an-access-token.js';

export const NATURE: readonly Trap[] = [
  ...NOT_AN_ACCESS_TOKEN,
  {
    name: 'foreign-mark',
    look: ({ issuer, claims }) => ({
      says: `It is no access token as the preset ${issuer.preset} knows them: ${PRESET_FACTS[issuer.preset].foreign(claims) ?? 'it has a claim that they never have'}.`,
      there: 'Have the client send the access_token of the token answer.',
    }),
  },
];

export const CLAIMS: readonly Trap[] = [
  ID_TOKEN,
  {
    name: 'preset-other',
    look: ({ issuer, claims, setting }) => {
      const provider = guessProvider(claims.iss, claims);
      if (!provider || provider === issuer.preset) return undefined;
      const place = issuer.preset === 'generic' ? 'RFC 9068' : PROVIDER_NAMES[issuer.preset];
      return {
        says: `The claims are looked for where ${place} has them, and this looks like a token of ${PROVIDER_NAMES[provider]}.`,
        here: `${setting('preset', provider)}.`,
      };
    },
  },
  {
    name: 'subject-missing',
    look: ({ claims }) =>
      claims.sub === undefined && {
        says: 'The token does not say whom it is about (no sub). Access tokens must (RFC 9068 section 2.2); some providers leave it out of tokens that a program got for itself (client credentials).',
        there:
          'Have the client log a person in; or have the provider write the client into sub where a program acts for itself.',
      },
  },
  {
    name: 'claim-missing',
    look: ({ issuer, setting }) => ({
      says: 'A claim is missing, or is not of the kind that its specification says. What is odd is refused, not guessed at.',
      there:
        'Have the provider write it: sub and a client are in every access token (RFC 9068), scopes and roles are texts or lists of texts.',
      here: `Or say where this provider has it: ${setting('claims')}${issuer.preset === 'generic' ? `, or ${setting('preset')}` : ''}.`,
    }),
  },
];
