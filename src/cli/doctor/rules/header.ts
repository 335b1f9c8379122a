/** Diagnostic rules about algorithm and type in the header. */
import { acceptedTypes } from '../../../auth/verify/check-token.js';
import { ASYMMETRIC } from '../../../config/rules.js';
import { PROVIDER_NAMES } from '../providers.js';
import { formatList, quote } from '../../../lib/format-text.js';
import { textOf, type DiagnosticContext, type DiagnosticRule } from '../diagnostic-context.js';
import { NOT_AN_ACCESS_TOKEN, REFRESH_TOKEN } from './not-an-access-token.js';

export const ALGORITHM: readonly DiagnosticRule[] = [
  REFRESH_TOKEN,
  {
    name: 'critical-extension',
    match: ({ jwt }) =>
      jwt?.header.crit !== undefined && {
        message: 'The header of the token demands an extension (crit) that this server does not have.',
        providerFix: 'Ask for plain access tokens: no provider needs crit for them.',
      },
  },
  {
    name: 'symmetric-algorithm',
    match: ({ jwt, provider }) =>
      /^HS\d+$/.test(textOf(jwt?.header.alg)) && {
        message: `The token is signed with a shared secret (${quote(jwt?.header.alg, 20)}): whoever can check it can also make it. That is never accepted.`,
        providerFix:
          provider === 'auth0'
            ? 'In the settings of the API in Auth0: Signing Algorithm RS256.'
            : 'Set an asymmetric signature for access tokens: RS256, PS256, ES256 or EdDSA.',
      },
  },
  {
    name: 'no-signature',
    match: ({ jwt }) =>
      /^none$/i.test(textOf(jwt?.header.alg)) && {
        message: 'The token is not signed at all: anybody can write one.',
        providerFix: 'Find out where it comes from: no provider issues such access tokens.',
      },
  },
  {
    name: 'algorithm-not-listed',
    match: ({ jwt, issuer, setting }) => {
      const alg = textOf(jwt?.header.alg);
      if (!ASYMMETRIC.includes(alg)) return undefined;
      return {
        message: `The token is signed with ${alg}; accepted are ${issuer.algorithms.join(', ')}.`,
        providerFix: `Or sign with one of ${issuer.algorithms.join(', ')}.`,
        serverFix: `If this is what the provider signs with: ${setting('algorithms', [...issuer.algorithms, alg].join(','))}.`,
      };
    },
  },
  {
    name: 'unknown-algorithm',
    match: ({ jwt, issuer }) => ({
      message: `The token says that it is signed with ${quote(jwt?.header.alg, 40)}, which this server does not know.`,
      providerFix: `Sign with one of ${issuer.algorithms.join(', ')}.`,
    }),
  },
];

export const TYPE: readonly DiagnosticRule[] = [
  ...NOT_AN_ACCESS_TOKEN,
  {
    name: 'preset-missing',
    match: (context) => {
      const { issuer, provider, setting } = context;
      return (
        issuer.preset === 'generic' &&
        provider !== undefined && {
          message: `${saysItsType(context)} This looks like a token of ${PROVIDER_NAMES[provider]}, whose access tokens are like that.`,
          serverFix: `${setting('preset', provider)}: it also knows where that provider keeps scopes and roles.`,
        }
      );
    },
  },
  {
    name: 'plain-jwt',
    match: (context) => {
      const { jwt, issuer, setting } = context;
      const type = jwt?.header.typ === undefined ? 'none' : textOf(jwt.header.typ);
      if (type !== 'none' && type.toLowerCase() !== 'jwt') return undefined;
      const types = [...acceptedTypes(issuer), type === 'none' ? 'none' : 'JWT'].join(',');
      return {
        message: `${saysItsType(context)} So do ID tokens, and a server that took it could not tell them apart.`,
        providerFix: 'Issue access tokens by RFC 9068, with typ at+jwt, where the provider can.',
        serverFix: `Where it cannot: choose its preset (${setting('preset')}), or ${setting('token_types', types)}.`,
      };
    },
  },
  {
    name: 'type-not-accepted',
    match: (context) => ({
      message: saysItsType(context),
      providerFix: 'Send an access token. If this is one, look how the provider marks its access tokens.',
      serverFix: `And name it: ${context.setting('token_types')}, or another preset.`,
    }),
  },
];

function saysItsType({ jwt, issuer }: DiagnosticContext): string {
  const typ: unknown = jwt?.header.typ;
  const type =
    typ === undefined ? 'does not say what it is (no typ in its header)' : `says typ ${quote(typ, 40)}`;
  return `The token ${type}; accepted is ${formatList(acceptedTypes(issuer))}.`;
}
