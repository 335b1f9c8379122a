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
        providerFix: 'Request plain access tokens: no provider needs crit for them.',
      },
  },
  {
    name: 'symmetric-algorithm',
    match: ({ jwt, provider }) =>
      /^HS\d+$/.test(textOf(jwt?.header.alg)) && {
        message: `The token is signed with a shared secret (${quote(jwt?.header.alg, 20)}): every party that can verify it can also create it. The gateway never accepts this.`,
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
        message: 'The token is not signed: any party can create such a token.',
        providerFix: 'Find its source: no provider issues such access tokens.',
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
        serverFix: `If the provider signs with this algorithm: ${setting('algorithms', [...issuer.algorithms, alg].join(','))}.`,
      };
    },
  },
  {
    name: 'unknown-algorithm',
    match: ({ jwt, issuer }) => ({
      message: `The token names the algorithm ${quote(jwt?.header.alg, 40)}, which this server does not support.`,
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
          message: `${saysItsType(context)} This looks like a token of ${PROVIDER_NAMES[provider]}, whose access tokens have this type.`,
          serverFix: `${setting('preset', provider)}: the preset also names the claims of scopes and roles.`,
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
        message: `${saysItsType(context)} ID tokens have the same type, so the gateway cannot distinguish them.`,
        providerFix: 'If the provider supports RFC 9068, issue access tokens with typ at+jwt.',
        serverFix: `Otherwise choose its preset (${setting('preset')}), or ${setting('token_types', types)}.`,
      };
    },
  },
  {
    name: 'type-not-accepted',
    match: (context) => ({
      message: saysItsType(context),
      providerFix:
        'Send an access token. If this is an access token, check the typ that the provider writes.',
      serverFix: `Then accept that typ: ${context.setting('token_types')}, or another preset.`,
    }),
  },
];

function saysItsType({ jwt, issuer }: DiagnosticContext): string {
  const typ: unknown = jwt?.header.typ;
  const type = typ === undefined ? 'has no typ in its header' : `has typ ${quote(typ, 40)}`;
  return `The token ${type}; the gateway accepts ${formatList(acceptedTypes(issuer))}.`;
}
