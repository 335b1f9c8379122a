/** The tools of upstreams as they were accepted, for those who ask about them and call none. */
import type { UpstreamsSettings } from '../config/settings.js';
import type { MountedToolDefinition } from '../tools/definitions.js';
import { mountTool } from './mount.js';
import { readPins } from './pins.js';

/** @throws Error where what was accepted cannot be read, or cannot be what the operator's file says. */
export function acceptedTools({ list, pinsFile }: UpstreamsSettings): MountedToolDefinition[] {
  if (list.length === 0) return [];
  const pins = readPins(pinsFile);
  return list.flatMap((upstream) =>
    [...(pins.get(upstream.name)?.values() ?? [])].flatMap((tool) => {
      const definition = mountTool(upstream, tool, neverCalled, undefined);
      return definition ? [definition] : [];
    }),
  );
}

function neverCalled(): Promise<never> {
  return Promise.reject(new Error('Nothing is called here'));
}
