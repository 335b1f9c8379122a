/** The scopes that the first challenge and `scopes_supported` ask for. Pure. */
import type { ChallengeScopes } from '../config/settings.js';
import type { Policy, TargetPolicy } from './policy.js';

/** Characters of the scope list. Proxies often refuse response headers of more than 4 KiB, and browsers long login URLs. */
const MAX_SCOPE_TEXT = 2_000;

/**
 * What a client without a usable token should ask for (RFC 6750 section 3, RFC 9728 section 2), sorted, in the names of
 * the code. Shadow rules (`mode: shadow`) add none; roles, conditions and assurance take none away.
 * - `allowed`: every scope that a target needs which is on the allow-list and not withheld. The provider decides which
 *   of them a person gets. A scope that is only implied (`scope_implies`) stays in: a token can bring it by itself, too.
 * - `minimal`: the scopes of the allowed read-only tools, prompts and resources that need no role; those of `allowed`
 *   where these need none (MCP, "Scope Minimization").
 * - a list: exactly that list.
 */
export function challengeScopes(policy: Policy, setting: ChallengeScopes): readonly string[] {
  if (typeof setting !== 'string') return sorted(setting);
  const open = openTargets(policy);
  const minimal = setting === 'minimal' ? scopesOf(open.filter(isBasic)) : [];
  return sorted(minimal.length > 0 ? minimal : scopesOf(open));
}

/** What the operator should know about the setting under this policy, in words for the log. */
export function challengeNotices(policy: Policy, setting: ChallengeScopes): string[] {
  const asked = challengeScopes(policy, setting);
  const unneeded = typeof setting === 'string' ? [] : asked.filter((scope) => !isNeeded(policy, scope));
  const size = asked.join(' ').length;
  return [
    ...(unneeded.length > 0 ? [`CHALLENGE_SCOPES: no allowed target needs ${unneeded.join(', ')}`] : []),
    ...(size > MAX_SCOPE_TEXT
      ? [
          `CHALLENGE_SCOPES: the challenge names ${asked.length} scopes in ${size} characters, which proxies and clients may refuse: set minimal, or a list`,
        ]
      : []),
  ];
}

/** A target needs it, or it implies one that a target needs (`scope_implies`). */
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
