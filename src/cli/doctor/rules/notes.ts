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
          ? 'The token has no user (client credentials). Tools without @AllowWorkload() reject the call with 403 human_required.'
          : 'The token has no user (client credentials); AUTH_REQUIRE_HUMAN=false allows its calls.',
        providerFix: `For a user: the client must log in the user (authorization code)${provider === 'entra' ? ', and request a scope in place of api://APPLICATION-ID/.default with its own secret' : ''}.`,
        ...(requireHuman && {
          serverFix:
            'For a workload: @AllowWorkload() on the tool; AUTH_REQUIRE_HUMAN=false opens all tools to workloads.',
        }),
      },
  },
  {
    name: 'groups-overage',
    match: ({ claims }) =>
      hasOverage(claims) && {
        message:
          'Entra omitted the groups, because the user has more than 200, and names an address instead. The gateway does not query that address, so the principal has no groups.',
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
      return {
        message: `role_map lacks ${unmapped.length} of the ${providerRoles.length} roles or groups in the token, so the gateway ignores them: ${formatList(unmapped.map(withoutAddress))}.`,
        serverFix:
          'Map these names to the roles of the access rules: role_map of this issuer, in IDENTITY_FILE.',
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
        message: `The scopes of this token begin with ${formatList([prefix])}, but the tools require scopes without this prefix.`,
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
          'The token has neither a scope nor a role: it can call only tools for every authenticated user.',
        providerFix: `The client must request scopes${claims.roles === undefined ? ', or the user needs roles' : ''}.`,
        serverFix: `Or the provider uses other claims than the preset ${issuer.preset}: set claims, in IDENTITY_FILE.`,
      },
  },
  {
    name: 'milliseconds',
    match: ({ claims }) => {
      const names = ['exp', 'auth_time'].filter((name) => isInMilliseconds(claims[name]));
      return (
        names.length > 0 && {
          message: `${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} so large that the unit must be milliseconds: times in tokens are in seconds (RFC 7519). ${names.includes('exp') ? 'This token practically never expires.' : 'The age of the login cannot be known.'}`,
          providerFix: 'A mapper, hook or action of the provider writes milliseconds: correct it to seconds.',
        }
      );
    },
  },
  {
    name: 'large-token',
    match: ({ token }) =>
      token.length > LARGE_TOKEN && {
        message: `The token has ${token.length} characters. The gateway rejects a request with more than 16 KiB of headers (431).`,
        providerFix: 'Remove unused claims from access tokens, especially groups.',
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
