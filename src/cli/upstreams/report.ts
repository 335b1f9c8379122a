/** Report of `mcp-gate upstreams`, as data and text. Pure. */
import { digestOf } from '../../lib/canonical-json.js';
import { formatList, quote, escapeControlChars } from '../../lib/format-text.js';
import type { UpstreamSettings } from '../../config/settings.js';
import type { JsonObject } from '../../lib/json.js';
import type { MountedToolDefinition } from '../../tools/definitions.js';
import type { Difference } from '../../upstreams/pins.js';
import type { UpstreamTool } from '../../upstreams/connection/read-tools.js';

type Tools = ReadonlyMap<string, UpstreamTool>;

/** A configured upstream, not contacted. */
export interface Mounted {
  readonly name: string;
  readonly reached: string;
  readonly processes: string;
  /** Pinned tools with an entry in the file. */
  readonly tools: readonly {
    readonly tool: string;
    readonly here: string;
    readonly scopes: readonly string[];
    readonly roles: readonly string[];
    readonly conditions: number;
  }[];
  /** True if it was ever accepted. */
  readonly accepted: boolean;
}

/** A contacted upstream. */
export interface Tested {
  readonly name: string;
  readonly answered: boolean;
  /** Its name and revision. */
  readonly about: string | null;
  readonly milliseconds: number;
  readonly named: readonly string[];
  /** Tools without an entry in the file; not mounted. */
  readonly notNamed: readonly string[];
  /** Patterns of the file without a match. */
  readonly unmatched: readonly string[];
  /** Tools that cannot be mounted, one sentence each. */
  readonly withheld: readonly string[];
  /** Differences of mounted tools, and parts that clients may reject. */
  readonly remarks: readonly string[];
  readonly faults: readonly string[];
  readonly problems: readonly string[];
}

export interface Changed extends Difference {
  readonly upstream: string;
  /** Changed members of the definition. */
  readonly members: readonly string[];
  /** True if the file has an entry for it. */
  readonly named: boolean;
}

export function mounted(
  settings: UpstreamSettings,
  accepted: Tools | undefined,
  definitions: readonly (readonly [string, MountedToolDefinition])[],
): Mounted {
  return {
    name: settings.name,
    // Program only: arguments may be secrets.
    reached: settings.transport === 'stdio' ? settings.command[0] : settings.url.replace(/\?.*/, '?…'),
    processes: settings.processes,
    tools: definitions.map(([tool, { name, rule, conditions = [] }]) => ({
      tool,
      here: name,
      scopes: rule.scopes,
      roles: rule.roles.map((group) => group.join('|')),
      conditions: conditions.length,
    })),
    accepted: accepted !== undefined,
  };
}

export function changed(
  upstream: string,
  found: readonly Difference[],
  before: Tools,
  now: Tools,
  isNamed: (tool: string) => boolean,
): Changed[] {
  return found.map((difference) => {
    const [was = {}, is = {}] = [before, now].map((tools) => tools.get(difference.tool)?.definition);
    const members = [...new Set([...Object.keys(was), ...Object.keys(is)])].filter(
      (member) => JSON.stringify((was as JsonObject)[member]) !== JSON.stringify((is as JsonObject)[member]),
    );
    return { upstream, ...difference, members, named: isNamed(difference.tool) };
  });
}

/** Digest of all printed changes, so that exactly the reviewed changes are accepted. */
export function digestOfChanges(all: readonly Changed[]): string {
  return digestOf(all.map(({ upstream, tool, from, to }) => [upstream, tool, from, to]));
}

export function renderMounted(all: readonly Mounted[]): string {
  return all
    .map(({ name, reached, processes, tools, accepted }) => {
      const head = `${name}  ${escapeControlChars(reached)}  (${processes})`;
      if (!accepted) return `${head}\n  no definition accepted yet`;
      if (tools.length === 0) return `${head}\n  UPSTREAMS_FILE names none of its tools`;
      const width = Math.max(...tools.map(({ here }) => here.length));
      const lines = tools.map(({ here, scopes, roles, conditions }) => {
        const asks = [
          ...(scopes.length > 0 ? [`scopes ${scopes.join(' ')}`] : []),
          ...(roles.length > 0 ? [`roles ${roles.join(' and ')}`] : []),
          ...(conditions > 0 ? [`${conditions} condition(s)`] : []),
        ];
        return `  ${here.padEnd(width)}  ${asks.join(', ') || 'every authenticated user'}`;
      });
      return [head, ...lines].join('\n');
    })
    .join('\n');
}

export function renderTested(all: readonly Tested[]): string {
  return all
    .map((one) => {
      const head = one.answered
        ? `${one.name}: answered after ${one.milliseconds} ms, ${escapeControlChars(one.about ?? 'unnamed')}`
        : `${one.name}: FAILED after ${one.milliseconds} ms`;
      const lines = [
        // Problems of a responding upstream are listed below.
        ...(one.answered ? [] : one.problems.map(escapeControlChars)),
        ...(one.answered ? [`named in UPSTREAMS_FILE: ${one.named.length} (${formatList(one.named)})`] : []),
        ...(one.notNamed.length > 0
          ? [`not mounted, because UPSTREAMS_FILE does not name them: ${formatList(one.notNamed)}`]
          : []),
        ...one.unmatched.map((pattern) => `match ${pattern} matches none of its tools`),
        ...one.withheld.map((fault) => `withheld: ${escapeControlChars(fault)}`),
        ...one.remarks.map(escapeControlChars),
        ...one.faults.map((fault) => `not mounted: ${escapeControlChars(fault)}`),
      ];
      return [head, ...lines.map((line) => `  ${line}`)].join('\n');
    })
    .join('\n');
}

/** Shows old and new definitions for review. */
export function renderChanged(
  all: readonly Changed[],
  definitions: (one: Changed) => [Tools, Tools],
): string {
  if (all.length === 0) return 'No changes since the accepted definitions.';
  const shown = all
    .map((one) => {
      const kind = one.from === null ? 'new' : one.to === null ? 'gone' : 'changed';
      const head = `${one.upstream}/${one.tool}: ${kind}${one.named ? '' : ' (not named in UPSTREAMS_FILE)'}`;
      const [before, now] = definitions(one);
      const valueOf = (tools: Tools, member: string) => {
        const value = tools.get(one.tool)?.definition[member];
        return value === undefined
          ? 'none'
          : quote(typeof value === 'string' ? value : JSON.stringify(value), 2_000);
      };
      const lines =
        kind === 'gone'
          ? []
          : one.members.flatMap((member) => [
              ...(one.from === null ? [] : [`  - ${member}: ${valueOf(before, member)}`]),
              `  + ${member}: ${valueOf(now, member)}`,
            ]);
      return [head, ...lines].join('\n');
    })
    .join('\n');
  return `${shown}\nTo accept exactly these changes: --digest ${digestOfChanges(all)}`;
}
