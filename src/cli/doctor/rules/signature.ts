/** Diagnostic rules about keys and signatures. */
import { formatList, quote } from '../../../lib/format-text.js';
import type { DiagnosticContext, DiagnosticRule } from '../diagnostic-context.js';
import { GRAPH_TOKEN } from './not-an-access-token.js';

export const SIGNATURE: readonly DiagnosticRule[] = [
  {
    name: 'issuer-unavailable',
    match: ({ reason, cause }) =>
      reason === 'identity_unavailable' && {
        message: `The keys of the issuer cannot be had${cause === undefined ? '' : `: ${cause}`}. The server answers 503 as long as that is so.`,
        serverFix: 'Run the doctor without a token: it says what answers at the issuer, and what does not.',
      },
  },
  GRAPH_TOKEN,
  {
    name: 'key-unknown',
    match: ({ jwt, publishedKids, issuer, setting }) => {
      const kid: unknown = jwt?.header.kid;
      if (kid === undefined || publishedKids === undefined) return undefined;
      if (typeof kid === 'string' && publishedKids.includes(kid)) return undefined;
      return {
        message: `The token names the key ${quote(kid, 64)}, and the issuer publishes ${formatList(publishedKids, 64)}. Either that key was taken back since, or the token is from another environment that has the same iss.`,
        providerFix: 'Get a new token from the issuer that is configured.',
        ...(issuer.jwksUri !== undefined && {
          serverFix: `Or the keys are looked for in the wrong place: without ${setting('jwks_uri')} they are where the metadata of the issuer says.`,
        }),
      };
    },
  },
  {
    name: 'key-of-another-kind',
    match: ({ jwt, publishedKids }) =>
      signsNothing(jwt?.header.kid, publishedKids) && {
        message: `The token names a key of the issuer (${quote(jwt?.header.kid, 64)}), and the signature does not fit it. The token was changed after it was signed, or another key has the same name.`,
        providerFix:
          'Get a new token, and send it unchanged. A provider that was set up anew, with the old key names, has to make new keys.',
      },
  },
  {
    name: 'signature-wrong',
    match: ({ publishedKids }) => ({
      message: `No key of the issuer fits the signature${publishedKids ? ` (it publishes ${formatList(publishedKids, 64)})` : ''}. The token was changed after it was signed, or is from another environment that has the same iss.`,
      providerFix: 'Get a new token from the issuer that is configured, and send it unchanged.',
    }),
  },
];

export const INTROSPECTION: readonly DiagnosticRule[] = [
  {
    name: 'introspection-unavailable',
    match: ({ reason, cause }) =>
      reason === 'identity_unavailable' && {
        message: `The issuer cannot be asked about the token${cause === undefined ? '' : `: ${cause}`}. The server answers 503 as long as that is so.`,
        serverFix:
          'Run the doctor without a token: it says whether the issuer accepts this server as its client.',
      },
  },
  {
    name: 'not-active',
    match: ({ reason }) =>
      reason === 'token_revoked' && {
        message:
          'The issuer says that the token is not active: expired, revoked, of another issuer, or not a token at all.',
        providerFix:
          'Get a new one. If it is new: some providers say "not active" to a client that may not ask about this token (Keycloak: the asking client must be in the audience).',
      },
  },
  {
    name: 'not-an-access-token-there',
    match: ({ reason, claims }) =>
      reason === 'token_type' && {
        message:
          claims.token_type === undefined
            ? 'The issuer does not answer for tokens of this kind: it is a JWT, such as an ID token, and its access tokens are not.'
            : `The issuer knows it, and says that it is no access token (token_type ${quote(claims.token_type)}).`,
        providerFix:
          'Send the access_token of the token answer, not its refresh_token, and not its id_token.',
      },
  },
  {
    name: 'introspection-of-another',
    match: ({ reason }) =>
      reason === 'token_issuer' && {
        message:
          'The issuer answers that the token is of another issuer (iss), and so it cannot speak for it.',
        providerFix:
          'Look at the endpoint that is asked, and at the name (hostname) with which the provider signs its answers.',
      },
  },
  {
    name: 'introspection-answer',
    match: ({ reason }) =>
      reason === 'token_claims' && {
        message:
          'The issuer does not say when the token expires, and without that it would be good for ever.',
        providerFix: 'Have the introspection endpoint answer with exp.',
      },
  },
];

function signsNothing(kid: unknown, published: DiagnosticContext['publishedKids']): boolean {
  return typeof kid === 'string' && published !== undefined && published.includes(kid);
}
