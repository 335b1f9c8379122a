/** Diagnostic rules about texts that are not signed JWTs. */
import { decodeProtectedHeader, type ProtectedHeaderParameters } from 'jose';
import { textOf, type DiagnosticContext, type DiagnosticRule } from '../diagnostic-context.js';

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const LEAKED = 'Treat it as compromised: make a new one.';

/** Texts with a documented prefix. */
const KNOWN_FORMS: readonly (readonly [name: string, form: RegExp, message: string, providerFix: string])[] =
  [
    [
      'placeholder',
      /^(\$\w*|\$?\{.*\}|<.*>|%\w+%|undefined|null|nil|none|true|false|\[object.*\])$/i,
      'This is a placeholder, not a token: a variable was empty, or was not replaced.',
      'Check the script or client that sends it.',
    ],
    [
      'metadata-address',
      /^\S*\/\.well-known\//i,
      'This is the address of a metadata document, not a token. Configure the "issuer" value of this document.',
      'Send an access token of that issuer; to check the issuer itself, run the doctor without a token.',
    ],
    [
      'address',
      /^[a-z][a-z\d+.-]*:\/\//i,
      'This is an address, not a token.',
      'If it is the redirect address of a login: the client exchanges its code for a token, and sends the token.',
    ],
    [
      'google-access-token',
      /^ya29\./,
      'An access token of Google is opaque, and only the APIs of Google can verify it.',
      'Send an ID token that was made for this server (by a service account, or by Identity-Aware Proxy), or have clients log in at an authorization server that federates with Google.',
    ],
    [
      'refresh-token',
      /^(1\/\/|v1\.M[\w-]{20}|[01]\.A[\w-]{20}|M\.[CR]\d)/,
      'This looks like a refresh token or an authorization code: only the token endpoint of the provider accepts it.',
      'Exchange it at the token endpoint, and send the access_token of the response.',
    ],
    [
      'authorization-code',
      new RegExp(`^(4/[\\w-]{10}|${UUID}\\.${UUID}\\.${UUID}$)`, 'i'),
      'This looks like an authorization code: only the token endpoint of the provider accepts it.',
      'Exchange it at the token endpoint, and send the access_token of the response.',
    ],
    [
      'client-secret',
      /^(GOCSPX-|[\w.~-]{3}\dQ~[\w.~-]{30})/,
      `This looks like a client secret. ${LEAKED}`,
      'A client uses its secret at the token endpoint, and sends the access_token of the response to the gateway.',
    ],
    [
      'api-key',
      /^(gh[opusr]_|github_pat_|glpat-|sk-|xox[abpr]-|AKIA[0-9A-Z]{16}$|AIza)/,
      `This looks like the API key of another service. ${LEAKED}`,
      'Send an access token of the configured issuer.',
    ],
    [
      'private-key',
      /^-----BEGIN/,
      `This is a PEM file, not a token. If it is a private key: ${LEAKED.toLowerCase()}`,
      'Send an access token.',
    ],
    [
      'identifier',
      new RegExp(`^${UUID}$`, 'i'),
      'This is a UUID: the id of an application, tenant or secret, not a token.',
      'Get an access token for that application, and send it.',
    ],
  ];

export const FORM: readonly DiagnosticRule[] = [
  ...KNOWN_FORMS.map(([name, form, message, providerFix]): DiagnosticRule => ({
    name,
    match: ({ token }) => form.test(token) && { message, providerFix },
  })),
  {
    name: 'cognito-refresh-token',
    match: (context) =>
      context.provider === 'cognito' &&
      encryptedHeader(context) !== undefined && {
        message: 'This is a refresh token of Amazon Cognito, which encrypts only refresh tokens.',
        providerFix: 'Send the access_token of the response, not the refresh_token.',
      },
  },
  {
    name: 'auth0-no-audience',
    match: (context) => {
      const header = encryptedHeader(context);
      const isAuth0 = context.provider === 'auth0' || /\.auth0\.com\/?$/.test(textOf(header?.iss));
      // An API that encrypts tokens has its own key, and so another `alg`.
      if (!isAuth0 || (header && header.alg !== 'dir')) return undefined;
      if (!header && (looksLikeJwt(context) || context.token.includes('.'))) return undefined;
      return {
        message: 'Auth0 issues a token that only Auth0 can read if the client requests no audience.',
        providerFix: `The client must send audience=IDENTIFIER, the identifier of the API of this server (APIs in the dashboard; here it is ${context.issuer.audience.join(' or ')}). MCP clients send resource in its place: Resource Parameter Compatibility Profile, in the advanced settings of the tenant. For clients that send neither: Default Audience, in its general settings.`,
      };
    },
  },
  {
    name: 'encrypted-token',
    match: (context) =>
      encryptedHeader(context) !== undefined && {
        message: 'The token is encrypted (a JWE) for another recipient: this server has no key to read it.',
        providerFix:
          'Turn off encryption for the access tokens of this API, or request a token for this API.',
      },
  },
  {
    name: 'cut-off',
    match: (context) =>
      looksLikeJwt(context) && {
        message:
          'This begins like a JWT but is not a whole one: some of it is missing or was changed. A JWT is three parts of base64url with dots between them, without "=".',
        providerFix: 'Copy it again, from a file: a terminal can break lines and select only a part.',
      },
  },
  {
    name: 'opaque-token',
    match: ({ setting }) => ({
      message: 'The text is opaque: an access token, a refresh token, a code or a secret.',
      providerFix: 'Ask the provider for access tokens that are JWTs, for the API of this server.',
      serverFix: `If the access tokens of this provider are opaque, configure introspection: ${setting('introspection')}.`,
    }),
  },
];

function looksLikeJwt({ token }: DiagnosticContext): boolean {
  return token.startsWith('eyJ');
}

/** Header of a text with the five parts of a JWE. */
function encryptedHeader({ token }: DiagnosticContext): ProtectedHeaderParameters | undefined {
  if (token.split('.').length !== 5) return undefined;
  try {
    const header = decodeProtectedHeader(token);
    return header.enc === undefined ? undefined : header;
  } catch {
    return undefined;
  }
}
