/** Builds the tool definitions of all upstreams from their pins. */
import type { EventLog } from '../core/event-logger.js';
import { escapeControlChars } from '../lib/format-text.js';
import type { MountedToolDefinition } from '../tools/definitions.js';
import type { MountedUpstream } from './mounted-upstream.js';
import type { Difference, Pins } from './pins.js';

type AcceptedTool = Parameters<MountedUpstream['mount']>[0];

export interface BuildOptions {
  readonly pins: Pins;
  /** Names of the server's own tools. */
  readonly taken: readonly string[];
  /** Differences between pins and current definitions of an upstream. */
  readonly differencesOf: (upstream: MountedUpstream) => Difference[];
}

export class MountedDefinitions {
  /** By upstream and tool: an unchanged tool keeps its object. */
  private readonly built = new Map<
    string,
    { readonly of: string; readonly definition: MountedToolDefinition | undefined }
  >();
  private readonly upstreams = new WeakMap<MountedToolDefinition, string>();

  constructor(private readonly log: EventLog) {}

  /** Upstream of a definition. */
  upstreamOf(definition: MountedToolDefinition): string | undefined {
    return this.upstreams.get(definition);
  }

  /** In the order of the upstreams. A second tool with the same name is omitted with a warning. */
  build(
    upstreams: readonly MountedUpstream[],
    { pins, taken, differencesOf }: BuildOptions,
  ): MountedToolDefinition[] {
    const names = new Set(taken);
    return upstreams.flatMap((upstream) => {
      const withheld = new Map(differencesOf(upstream).map((one) => [one.tool, one] as const));
      const accepted = [...(pins.get(upstream.settings.name) ?? new Map<string, AcceptedTool>()).values()];
      return accepted.flatMap((tool) => {
        const definition = this.definitionOf(upstream, tool, withheld.get(tool.name));
        if (!definition) return [];
        if (names.has(definition.name)) {
          this.log.write(
            'upstream.tool_omitted',
            `Upstream ${upstream.settings.name}: tool omitted, the name ${definition.name} is taken`,
          );
          return [];
        }
        names.add(definition.name);
        return [definition];
      });
    });
  }

  private definitionOf(
    upstream: MountedUpstream,
    tool: AcceptedTool,
    difference: Difference | undefined,
  ): MountedToolDefinition | undefined {
    const { name } = upstream.settings;
    const withheld = difference && `upstreams: ${name}: ${difference.to === null ? 'gone' : 'changed'}`;
    const key = JSON.stringify([name, tool.name]);
    const of = JSON.stringify([tool.digest, withheld]);
    const known = this.built.get(key);
    if (known?.of === of) return known.definition;
    let definition: MountedToolDefinition | undefined;
    try {
      definition = upstream.mount(tool, withheld);
      if (definition) this.upstreams.set(definition, name);
      for (const remark of definition?.remarks ?? []) {
        this.log.write(
          'upstream.tool_adjusted',
          `Upstream ${name}: tool ${tool.name} adjusted: ${escapeControlChars(remark)}`,
        );
      }
    } catch (error) {
      this.log.write(
        'upstream.tool_omitted',
        `Upstream ${name}: tool ${tool.name} omitted: ${(error as Error).message}`,
      );
    }
    this.built.set(key, { of, definition });
    return definition;
  }
}
