/** What a client should ask for first. Pure. */
import type { Policy } from './policy.js';

/**
 * The scopes of the allowed read-only tools, and of the prompts and resources, that need no role. Where there are none,
 * those of everything allowed. Never the whole catalogue where less will do (MCP, "Scope Minimization").
 */
export function basicScopes(policy: Policy): readonly string[] {
  const allowed = [...policy.targets.values()].filter(({ view }) => view.closedBy === undefined);
  const isBasic = allowed.filter(
    ({ target, view }) =>
      view.required.roles.length === 0 && (target.kind !== 'tool' || target.readOnly === true),
  );
  const scopesOf = (of: typeof allowed) => of.flatMap(({ view }) => view.required.scopes);
  const basic = scopesOf(isBasic);
  return [...new Set(basic.length > 0 ? basic : scopesOf(allowed))].sort();
}
