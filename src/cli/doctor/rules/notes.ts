/** Notes on accepted tokens without an expected effect. */
import type { Principal } from '../../../core/principal.js';
import { formatList } from '../../../lib/format-text.js';
import type { DiagnosticContext } from '../diagnostic-context.js';
import type { Explanation } from '../report.js';
import { isInMilliseconds } from './times.js';
import { isJsonObject } from '../../../lib/json.js';

export interface Accepted extends DiagnosticContext {
  readonly principal: Principal;
  /** Roles under the names of the provider, before `role_map`. */
  readonly providerRoles: readonly string[];
}

/** Like {@link DiagnosticRule}; all matching ones are reported. */
export interface Note {
  readonly name: string;
  readonly match: (accepted: Accepted) => Explanation | undefined | false;
}

/** Node.js rejects requests with headers over 16 KiB. */
const LARGE_TOKEN = 12_000;

export const NOTES: readonly Note[] = [
  {
    name: 'workload',
    match: ({ principal, requireHuman, provider }) =>
      principal.kind === 'workload' && {
        message: requireHuman
          ? 'No person is behind this token (client credentials). Tools answer 403 human_required, but for those that are declared @AllowWorkload().'
          : 'No person is behind this token (client credentials); AUTH_REQUIRE_HUMAN=false lets it call tools all the same.',
        providerFix: `Where a person is meant: the client must have the person log in (authorization code)${provider === 'entra' ? ', and ask for a scope, not for api://APPLICATION-ID/.default with its own secret' : ''}.`,
        ...(requireHuman && {
          serverFix:
            'Where a program is meant: @AllowWorkload() at the tool; AUTH_REQUIRE_HUMAN=false opens all tools to programs.',
        }),
      },
  },
  {
    name: 'groups-overage',
    match: ({ claims }) =>
      hasOverage(claims) && {
        message:
          'Entra left the groups out of the token, because there are more than 200 of them, and names an address instead. This server asks nobody: the groups count as none.',
        providerFix:
          'Use app roles, and assign groups to them (they come in the claim roles); or, in Token configuration, "Groups assigned to the application" only.',
      },
  },
  {
    name: 'role-map-misses',
    match: ({ issuer, providerRoles }) => {
      if (!issuer.roleMap || providerRoles.length === 0) return undefined;
      const unmapped = providerRoles.filter((role) => !issuer.roleMap?.has(role));
      if (unmapped.length === 0) return undefined;
      const all = unmapped.length === providerRoles.length;
      return {
        message: `${all ? 'None' : 'Not all'} of the ${providerRoles.length} roles or groups in the token ${all ? 'is' : 'are'} in role_map, and what is not in it is no role. Not in it: ${formatList(unmapped.map(withoutAddress))}.`,
        serverFix:
          'role_map of this issuer, in IDENTITY_FILE: from these names to those that the code knows.',
      };
    },
  },
  {
    name: 'scope-prefix',
    match: ({ principal, issuer, setting }) => {
      const prefixed = principal.scopes.filter((scope) => /^.+\/[^/]+$/.test(scope));
      const prefixes = new Set(prefixed.map((scope) => scope.slice(0, scope.lastIndexOf('/') + 1)));
      const [prefix] = prefixes;
      if (prefix === undefined || prefixes.size !== 1 || issuer.scopePrefix !== '') return undefined;
      return {
        message: `Scopes of this token begin with ${formatList([prefix])}, and the tools ask for scopes without that.`,
        serverFix: setting('scope_prefix', prefix),
      };
    },
  },
  {
    name: 'nothing-granted',
    match: ({ principal, claims, issuer }) =>
      principal.scopes.length === 0 &&
      principal.roles.length === 0 && {
        message:
          'The token brings neither a scope nor a role: it opens only what is there for every authenticated person.',
        providerFix: `The client must ask for scopes${claims.roles === undefined ? ', or the person must be given roles' : ''}.`,
        serverFix: `Or the provider keeps them elsewhere than the preset ${issuer.preset} looks: claims, in IDENTITY_FILE.`,
      },
  },
  {
    name: 'milliseconds',
    match: ({ claims }) => {
      const names = ['exp', 'auth_time'].filter((name) => isInMilliseconds(claims[name]));
      return (
        names.length > 0 && {
          message: `${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} so large that the unit must be milliseconds: times in tokens are in seconds (RFC 7519). ${names.includes('exp') ? 'This token practically never expires.' : 'The age of the login cannot be known.'}`,
          providerFix:
            'Something that writes claims at the provider takes milliseconds: a mapper, a hook, an action.',
        }
      );
    },
  },
  {
    name: 'large-token',
    match: ({ token }) =>
      token.length > LARGE_TOKEN && {
        message: `The token has ${token.length} characters. A request whose headers are larger than 16 KiB together is refused (431) before this server reads it.`,
        providerFix: 'Leave out of access tokens what nobody reads: groups above all.',
      },
  },
];

/** Hides addresses of users in role names. */
function withoutAddress(role: string): string {
  return role.includes('@') ? 'an e-mail address' : role;
}

/** learn.microsoft.com/entra/identity-platform/access-token-claims-reference, "Groups overage claim". */
function hasOverage(claims: DiagnosticContext['claims']): boolean {
  const names: unknown = claims._claim_names;
  return (
    claims.hasgroups === true ||
    claims.hasgroups === 'true' ||
    (isJsonObject(names) && Object.hasOwn(names, 'groups'))
  );
}
