/** Diagnostic rules about other kinds of tokens of a provider. They apply to several checks. */
import { quote } from '../../../lib/format-text.js';
import { textOf, textsOf, type DiagnosticContext, type DiagnosticRule } from '../diagnostic-context.js';

const ID_CLAIMS = ['nonce', 'at_hash', 'c_hash', 's_hash'];

/** `typ` of other kinds of JWTs, with their names. */
const FOREIGN_TYPES: Readonly<Record<string, string>> = {
  'logout+jwt': 'a logout token or another security event, which a provider sends to clients',
  'secevent+jwt': 'a security event, which a provider sends to receivers of events',
  'dpop+jwt': 'a DPoP proof: it goes into the DPoP header, beside an access token in Authorization',
  'oauth-id-jag+jwt': 'an identity assertion (ID-JAG), which a client exchanges for an access token',
  'client-authentication+jwt': 'a client assertion for the token endpoint',
  'token-introspection+jwt': 'the signed answer of an introspection endpoint',
  'oauth-authz-req+jwt': 'a signed authorization request',
  'id+jwt': 'an ID token',
};

/** Microsoft Graph by application id and name. */
const GRAPH = /^(00000003-0000-0000-c000-000000000000|https:\/\/graph\.microsoft\.com\/?)$/;

export const GRAPH_TOKEN: DiagnosticRule = {
  name: 'entra-graph-token',
  match: ({ jwt, claims, provider, issuer }) =>
    (textsOf(claims.aud).some((audience) => GRAPH.test(audience)) ||
      (provider === 'entra' && jwt?.header.nonce !== undefined)) && {
      message:
        'The token is for Microsoft Graph, whose tokens only Graph can verify: Entra issues it if the client requests no other API.',
      providerFix: `The client must request a scope of the API of this server: api://APPLICATION-ID/SCOPE (Expose an API in its app registration), not User.Read or another scope of Graph. Its token is then for ${issuer.audience.join(' or ')}.`,
    },
};

export const ID_TOKEN: DiagnosticRule = {
  name: 'id-token',
  match: (context) => {
    const mark = idTokenMark(context);
    return (
      mark !== undefined && {
        message: `This is an ID token (${mark}): it identifies the logged-in user to the client and grants no access.`,
        providerFix: 'The client must send the access_token of the same answer, not the id_token.',
      }
    );
  },
};

export const REFRESH_TOKEN: DiagnosticRule = {
  name: 'refresh-token',
  match: ({ claims }) =>
    ['Refresh', 'Offline'].includes(textOf(claims.typ)) && {
      message: `This is a refresh token of Keycloak (its typ claim is ${quote(claims.typ)}): only the token endpoint accepts it.`,
      providerFix: 'The client must send the access_token of the same answer.',
    },
};

export const OTHER_TOKEN: DiagnosticRule = {
  name: 'other-token',
  match: ({ jwt, claims }) => {
    const type = textOf(jwt?.header.typ)
      .toLowerCase()
      .replace(/^application\//, '');
    const isProof = claims.htm !== undefined || claims.htu !== undefined;
    const kind = isProof ? 'dpop+jwt' : claims.events !== undefined ? 'logout+jwt' : type;
    return (
      Object.hasOwn(FOREIGN_TYPES, kind) && {
        message: `This is ${FOREIGN_TYPES[kind]}.`,
        providerFix: 'The client must send an access token.',
      }
    );
  },
};

export const NOT_AN_ACCESS_TOKEN: readonly DiagnosticRule[] = [REFRESH_TOKEN, OTHER_TOKEN, ID_TOKEN];

/** Mark of an ID token, or an audience equal to the client without any mark of an access token. */
function idTokenMark({ jwt, claims, provider, issuer }: DiagnosticContext): string | undefined {
  if (claims.token_use === 'id') return 'its token_use is "id"';
  if (claims.typ === 'ID') return 'its typ claim is "ID"';
  const mark = ID_CLAIMS.find((name) => claims[name] !== undefined);
  // Older releases of Keycloak copied the nonce into access tokens, whose `typ` claim is "Bearer".
  if (mark !== undefined && !(mark === 'nonce' && claims.typ === 'Bearer')) return `it has the claim ${mark}`;
  // For Google the gateway accepts ID tokens.
  if (!jwt || issuer.preset === 'google') return undefined;
  const message = (names: readonly string[]) => names.some((name) => claims[name] !== undefined);
  if (message(['scope', 'scp', 'client_id', 'cid', 'appid', 'roles'])) return undefined;
  if (provider === 'entra' && message(['preferred_username', 'name']))
    return 'it has no scp and names the user';
  if (textsOf(claims.aud).length === 1 && claims.azp === claims.aud)
    return 'its audience is the client itself';
  return provider === 'auth0' || provider === 'okta' ? 'it names neither a scope nor a client' : undefined;
}
