/** What the header of a token says of itself: algorithm and type. */
import { acceptedTypes } from '../../../auth/verify/check-token.js';
import { ASYMMETRIC } from '../../../config/rules.js';
import { PROVIDER_NAMES } from '../providers.js';
import { listed, quoted } from '../../../lib/format-text.js';
import { textOf, type Situation, type Trap } from '../diagnostic-context.js';
import { NOT_AN_ACCESS_TOKEN, REFRESH_TOKEN } from './not-an-access-token.js';

export const ALGORITHM: readonly Trap[] = [
  REFRESH_TOKEN,
  {
    name: 'critical-extension',
    look: ({ jwt }) =>
      jwt?.header.crit !== undefined && {
        says: 'The header of the token demands an extension (crit) that this server does not have.',
        there: 'Ask for plain access tokens: no provider needs crit for them.',
      },
  },
  {
    name: 'symmetric-algorithm',
    look: ({ jwt, provider }) =>
      /^HS\d+$/.test(textOf(jwt?.header.alg)) && {
        says: `The token is signed with a shared secret (${quoted(jwt?.header.alg, 20)}): whoever can check it can also make it. That is never accepted.`,
        there:
          provider === 'auth0'
            ? 'In the settings of the API in Auth0: Signing Algorithm RS256.'
            : 'Set an asymmetric signature for access tokens: RS256, PS256, ES256 or EdDSA.',
      },
  },
  {
    name: 'no-signature',
    look: ({ jwt }) =>
      /^none$/i.test(textOf(jwt?.header.alg)) && {
        says: 'The token is not signed at all: anybody can write one.',
        there: 'Find out where it comes from: no provider issues such access tokens.',
      },
  },
  {
    name: 'algorithm-not-listed',
    look: ({ jwt, issuer, setting }) => {
      const alg = textOf(jwt?.header.alg);
      if (!ASYMMETRIC.includes(alg)) return undefined;
      return {
        says: `The token is signed with ${alg}; accepted are ${issuer.algorithms.join(', ')}.`,
        there: `Or sign with one of ${issuer.algorithms.join(', ')}.`,
        here: `If this is what the provider signs with: ${setting('algorithms', [...issuer.algorithms, alg].join(','))}.`,
      };
    },
  },
  {
    name: 'unknown-algorithm',
    look: ({ jwt, issuer }) => ({
      says: `The token says that it is signed with ${quoted(jwt?.header.alg, 40)}, which this server does not know.`,
      there: `Sign with one of ${issuer.algorithms.join(', ')}.`,
    }),
  },
];

export const TYPE: readonly Trap[] = [
  ...NOT_AN_ACCESS_TOKEN,
  {
    name: 'preset-missing',
    look: (situation) => {
      const { issuer, provider, setting } = situation;
      return (
        issuer.preset === 'generic' &&
        provider !== undefined && {
          says: `${saysItsType(situation)} This looks like a token of ${PROVIDER_NAMES[provider]}, whose access tokens are like that.`,
          here: `${setting('preset', provider)}: it also knows where that provider keeps scopes and roles.`,
        }
      );
    },
  },
  {
    name: 'plain-jwt',
    look: (situation) => {
      const { jwt, issuer, setting } = situation;
      const type = jwt?.header.typ === undefined ? 'none' : textOf(jwt.header.typ);
      if (type !== 'none' && type.toLowerCase() !== 'jwt') return undefined;
      const types = [...acceptedTypes(issuer), type === 'none' ? 'none' : 'JWT'].join(',');
      return {
        says: `${saysItsType(situation)} So do ID tokens, and a server that took it could not tell them apart.`,
        there: 'Issue access tokens by RFC 9068, with typ at+jwt, where the provider can.',
        here: `Where it cannot: choose its preset (${setting('preset')}), or ${setting('token_types', types)}.`,
      };
    },
  },
  {
    name: 'type-not-accepted',
    look: (situation) => ({
      says: saysItsType(situation),
      there: 'Send an access token. If this is one, look how the provider marks its access tokens.',
      here: `And name it: ${situation.setting('token_types')}, or another preset.`,
    }),
  },
];

function saysItsType({ jwt, issuer }: Situation): string {
  const typ: unknown = jwt?.header.typ;
  const type =
    typ === undefined ? 'does not say what it is (no typ in its header)' : `says typ ${quoted(typ, 40)}`;
  return `The token ${type}; accepted is ${listed(acceptedTypes(issuer))}.`;
}
