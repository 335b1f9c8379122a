/** Pinned tools of upstreams, for commands that decide about tools without calling them. */
import type { UpstreamsSettings } from '../config/settings.js';
import type { MountedToolDefinition } from '../tools/definitions.js';
import { mountTool } from './mount.js';
import { readPins } from './pins.js';

export interface AcceptedTools {
  readonly definitions: readonly MountedToolDefinition[];
  /** Sentences about upstreams without pins and about omitted tools. */
  readonly notices: readonly string[];
}

/**
 * Tools that the server mounts at startup, before an upstream has answered. Tools withheld later are unknown here.
 * @param own names of the tools of this server; an upstream tool with such a name is omitted.
 * @throws Error if the pins are unreadable.
 */
export function acceptedTools({ list, pinsFile }: UpstreamsSettings, own: readonly string[]): AcceptedTools {
  if (list.length === 0) return { definitions: [], notices: [] };
  const pins = readPins(pinsFile);
  const taken = new Set(own);
  const notices: string[] = [];
  const definitions: MountedToolDefinition[] = [];
  for (const upstream of list) {
    const accepted = pins.get(upstream.name);
    if (!accepted) {
      notices.push(
        `The upstream ${upstream.name} has no accepted definitions in ${pinsFile}: its tools are not known here. Accept them with mcp-gate upstreams accept ${upstream.name}`,
      );
    }
    for (const tool of accepted?.values() ?? []) {
      try {
        const definition = mountTool(upstream, tool, neverCalled, undefined);
        if (!definition) continue;
        if (taken.has(definition.name))
          throw new Error(`a tool with the name ${definition.name} already exists`);
        taken.add(definition.name);
        definitions.push(definition);
      } catch (error) {
        notices.push(`The upstream ${upstream.name}: ${tool.name} is omitted: ${(error as Error).message}`);
      }
    }
  }
  return { definitions, notices };
}

function neverCalled(): Promise<never> {
  return Promise.reject(new Error('The command calls no tool'));
}
