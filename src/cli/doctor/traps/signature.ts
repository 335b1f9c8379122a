/** Keys: those that the token names, and those that the issuer has. */
import { listed, quoted } from '../../../lib/format-text.js';
import type { Situation, Trap } from '../diagnostic-context.js';
import { GRAPH_TOKEN } from './not-an-access-token.js';

export const SIGNATURE: readonly Trap[] = [
  {
    name: 'issuer-unavailable',
    look: ({ reason, cause }) =>
      reason === 'identity_unavailable' && {
        says: `The keys of the issuer cannot be had${cause === undefined ? '' : `: ${cause}`}. The server answers 503 as long as that is so.`,
        here: 'Run the doctor without a token: it says what answers at the issuer, and what does not.',
      },
  },
  GRAPH_TOKEN,
  {
    name: 'key-unknown',
    look: ({ jwt, publishedKids, issuer, setting }) => {
      const kid: unknown = jwt?.header.kid;
      if (kid === undefined || publishedKids === undefined) return undefined;
      if (typeof kid === 'string' && publishedKids.includes(kid)) return undefined;
      return {
        says: `The token names the key ${quoted(kid, 64)}, and the issuer publishes ${listed(publishedKids, 64)}. Either that key was taken back since, or the token is from another environment that has the same iss.`,
        there: 'Get a new token from the issuer that is configured.',
        ...(issuer.jwksUri !== undefined && {
          here: `Or the keys are looked for in the wrong place: without ${setting('jwks_uri')} they are where the metadata of the issuer says.`,
        }),
      };
    },
  },
  {
    name: 'key-of-another-kind',
    look: ({ jwt, publishedKids }) =>
      signsNothing(jwt?.header.kid, publishedKids) && {
        says: `The token names a key of the issuer (${quoted(jwt?.header.kid, 64)}), and the signature does not fit it. The token was changed after it was signed, or another key has the same name.`,
        there:
          'Get a new token, and send it unchanged. A provider that was set up anew, with the old key names, has to make new keys.',
      },
  },
  {
    name: 'signature-wrong',
    look: ({ publishedKids }) => ({
      says: `No key of the issuer fits the signature${publishedKids ? ` (it publishes ${listed(publishedKids, 64)})` : ''}. The token was changed after it was signed, or is from another environment that has the same iss.`,
      there: 'Get a new token from the issuer that is configured, and send it unchanged.',
    }),
  },
];

export const INTROSPECTION: readonly Trap[] = [
  {
    name: 'introspection-unavailable',
    look: ({ reason, cause }) =>
      reason === 'identity_unavailable' && {
        says: `The issuer cannot be asked about the token${cause === undefined ? '' : `: ${cause}`}. The server answers 503 as long as that is so.`,
        here: 'Run the doctor without a token: it says whether the issuer accepts this server as its client.',
      },
  },
  {
    name: 'not-active',
    look: ({ reason }) =>
      reason === 'token_revoked' && {
        says: 'The issuer says that the token is not active: expired, revoked, of another issuer, or not a token at all.',
        there:
          'Get a new one. If it is new: some providers say "not active" to a client that may not ask about this token (Keycloak: the asking client must be in the audience).',
      },
  },
  {
    name: 'not-an-access-token-there',
    look: ({ reason, claims }) =>
      reason === 'token_type' && {
        says:
          claims.token_type === undefined
            ? 'The issuer does not answer for tokens of this kind: it is a JWT, such as an ID token, and its access tokens are not.'
            : `The issuer knows it, and says that it is no access token (token_type ${quoted(claims.token_type)}).`,
        there: 'Send the access_token of the token answer, not its refresh_token, and not its id_token.',
      },
  },
  {
    name: 'introspection-of-another',
    look: ({ reason }) =>
      reason === 'token_issuer' && {
        says: 'The issuer answers that the token is of another issuer (iss), and so it cannot speak for it.',
        there:
          'Look at the endpoint that is asked, and at the name (hostname) with which the provider signs its answers.',
      },
  },
  {
    name: 'introspection-answer',
    look: ({ reason }) =>
      reason === 'token_claims' && {
        says: 'The issuer does not say when the token expires, and without that it would be good for ever.',
        there: 'Have the introspection endpoint answer with exp.',
      },
  },
];

function signsNothing(kid: unknown, published: Situation['publishedKids']): boolean {
  return typeof kid === 'string' && published !== undefined && published.includes(kid);
}
