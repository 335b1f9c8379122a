/** Names of upstream tools on this server. Pure. */
import type { UpstreamSettings } from '../config/settings.js';
import { matchesLabel } from '../policy/label-pattern.js';

type Named = Pick<UpstreamSettings, 'prefix' | 'tools'>;

/** Entries that match this tool, by its name at the upstream. */
export function matchingEntries<T extends Named>({ tools }: T, name: string): T['tools'] {
  return tools.filter(({ match }) => match.some((pattern) => matchesLabel(pattern, name)));
}

/** Patterns of the file that match no tool, by the names at the upstream. */
export function unmatchedPatterns({ tools }: Named, names: readonly string[]): string[] {
  const patterns = [...new Set(tools.flatMap(({ match }) => match))];
  return patterns.filter((pattern) => !names.some((name) => matchesLabel(pattern, name)));
}

/** The last entry with a name decides. */
export function exposedName(upstream: Named, name: string): string {
  const given = matchingEntries(upstream, name).findLast((entry) => entry.name !== undefined)?.name;
  return `${upstream.prefix}${given ?? name}`;
}

/** True if an upstream could have a tool of this name, discovered or not. */
export function couldMatchUpstream(label: string, upstreams: readonly Named[]): boolean {
  return upstreams.some((upstream) => {
    if (!label.startsWith(upstream.prefix)) return false;
    const rest = label.slice(upstream.prefix.length);
    return (
      upstream.tools.some(({ name }) => name === rest) ||
      (matchingEntries(upstream, rest).length > 0 && exposedName(upstream, rest) === label)
    );
  });
}
