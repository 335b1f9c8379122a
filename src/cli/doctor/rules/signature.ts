/** Diagnostic rules about keys and signatures. */
import { formatList, quote } from '../../../lib/format-text.js';
import type { DiagnosticContext, DiagnosticRule } from '../diagnostic-context.js';
import { GRAPH_TOKEN } from './not-an-access-token.js';

export const SIGNATURE: readonly DiagnosticRule[] = [
  {
    name: 'issuer-unavailable',
    match: ({ reason, cause }) =>
      reason === 'identity_unavailable' && {
        message: `The keys of the issuer are unavailable${cause === undefined ? '' : `: ${cause}`}. The server answers 503 until the fetch succeeds.`,
        serverFix: 'Run the doctor without a token: it checks each address of the issuer.',
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
        message: `The token names the key ${quote(kid, 64)}, and the issuer publishes ${formatList(publishedKids, 64)}. The issuer has withdrawn that key, or the token is from another environment with the same iss.`,
        providerFix: 'Get a new token from the configured issuer.',
        ...(issuer.jwksUri !== undefined && {
          serverFix: `Or the configured key address is wrong: without ${setting('jwks_uri')}, the gateway uses the address in the metadata of the issuer.`,
        }),
      };
    },
  },
  {
    name: 'key-of-another-kind',
    match: ({ jwt, publishedKids }) =>
      signsNothing(jwt?.header.kid, publishedKids) && {
        message: `The token names a key of the issuer (${quote(jwt?.header.kid, 64)}), but the signature does not match it. The token was changed after it was signed, or another key has the same id.`,
        providerFix:
          'Get a new token, and send it unchanged. A provider that was set up again with the old key ids must create new keys.',
      },
  },
  {
    name: 'signature-wrong',
    match: ({ publishedKids }) => ({
      message: `No key of the issuer matches the signature${publishedKids ? ` (it publishes ${formatList(publishedKids, 64)})` : ''}. The token was changed after it was signed, or is from another environment with the same iss.`,
      providerFix: 'Get a new token from the configured issuer, and send it unchanged.',
    }),
  },
];

export const INTROSPECTION: readonly DiagnosticRule[] = [
  {
    name: 'introspection-unavailable',
    match: ({ reason, cause }) =>
      reason === 'identity_unavailable' && {
        message: `The introspection of the token failed${cause === undefined ? '' : `: ${cause}`}. The server answers 503 until introspection succeeds.`,
        serverFix:
          'Run the doctor without a token: it checks whether the issuer accepts this server as a client.',
      },
  },
  {
    name: 'not-active',
    match: ({ reason }) =>
      reason === 'token_revoked' && {
        message:
          'The issuer reports that the token is not active: expired, revoked, of another issuer, or not a token at all.',
        providerFix:
          'Get a new token. For a new token: some providers answer "not active" if this client may not introspect the token (Keycloak: the introspecting client must be in the audience).',
      },
  },
  {
    name: 'not-an-access-token-there',
    match: ({ reason, claims }) =>
      reason === 'token_type' && {
        message:
          claims.token_type === undefined
            ? 'The issuer does not introspect this kind of token: it is a JWT, for example an ID token, but the access tokens of the issuer are opaque.'
            : `The issuer reports that it is not an access token (token_type ${quote(claims.token_type)}).`,
        providerFix:
          'Send the access_token of the token response, not its refresh_token, and not its id_token.',
      },
  },
  {
    name: 'introspection-of-another',
    match: ({ reason }) =>
      reason === 'token_issuer' && {
        message: 'The response names another issuer (iss) than the configured one.',
        providerFix:
          'Check the introspection endpoint, and the host name that the provider writes in its responses.',
      },
  },
  {
    name: 'introspection-answer',
    match: ({ reason }) =>
      reason === 'token_claims' && {
        message: 'The response has no expiry (exp), so the token would never expire.',
        providerFix: 'Have the introspection endpoint return exp.',
      },
  },
];

function signsNothing(kid: unknown, published: DiagnosticContext['publishedKids']): boolean {
  return typeof kid === 'string' && published !== undefined && published.includes(kid);
}
