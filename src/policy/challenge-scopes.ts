/** Scopes of the first challenge and of `scopes_supported`. Pure. */
import type { ChallengeScopes } from '../config/settings.js';
import type { Policy, TargetPolicy } from './policy.js';

/** Characters of the scope list. Proxies often reject response headers over 4 KiB, and browsers long login URLs. */
const MAX_SCOPE_TEXT = 2_000;

/**
 * Scopes that a client without a usable token should request (RFC 6750 section 3, RFC 9728 section 2), sorted, under
 * the names in code. Shadow rules add none; roles, conditions and assurance remove none.
 * - `allowed`: every scope that an allowed and not withheld target needs. The provider decides which of them a user
 * gets. An implied scope (`scope_implies`) stays included: a token can contain it directly.
 * - `minimal`: scopes of allowed read-only tools, prompts and resources without a role; those of `allowed` if these
 * need none (MCP, "Scope Minimization").
 * - a list: exactly that list.
 */
export function challengeScopes(policy: Policy, setting: ChallengeScopes): readonly string[] {
  if (typeof setting !== 'string') return sorted(setting);
  const open = openTargets(policy);
  const minimal = setting === 'minimal' ? scopesOf(open.filter(isBasic)) : [];
  return sorted(minimal.length > 0 ? minimal : scopesOf(open));
}

/** Notices about the setting under this policy, for the log. */
export function challengeNotices(policy: Policy, setting: ChallengeScopes): string[] {
  const asked = challengeScopes(policy, setting);
  const unneeded = typeof setting === 'string' ? [] : asked.filter((scope) => !isNeeded(policy, scope));
  const size = asked.join(' ').length;
  return [
    ...(unneeded.length > 0 ? [`CHALLENGE_SCOPES: no allowed target needs ${unneeded.join(', ')}`] : []),
    ...(size > MAX_SCOPE_TEXT
      ? [
          `CHALLENGE_SCOPES: the challenge names ${asked.length} scopes in ${size} characters, which proxies and clients may reject: set minimal, or a list`,
        ]
      : []),
  ];
}

/** True if a target needs it, or a scope that it implies. */
function isNeeded(policy: Policy, scope: string): boolean {
  const needed = scopesOf(openTargets(policy));
  return [scope, ...(policy.impliedScopes.get(scope) ?? [])].some((one) => needed.includes(one));
}

function openTargets({ targets }: Policy): TargetPolicy[] {
  return [...targets.values()].filter(({ effective }) => effective.blockedBy === undefined);
}

function isBasic({ target, effective }: TargetPolicy): boolean {
  return effective.required.roles.length === 0 && (target.kind !== 'tool' || target.readOnly === true);
}

function scopesOf(targets: readonly TargetPolicy[]): string[] {
  return targets.flatMap(({ effective }) => effective.required.scopes);
}

function sorted(scopes: readonly string[]): string[] {
  return [...new Set(scopes)].sort();
}
