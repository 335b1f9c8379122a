/** The tools of upstreams as they were accepted, for those who ask about them and call none. */
import type { UpstreamsSettings } from '../config/settings.js';
import type { MountedToolDefinition } from '../tools/definitions.js';
import { mountTool } from './mount.js';
import { readPins } from './pins.js';

/**
 * @param leftOut is told of each tool that cannot be mounted as the operator's file says; the server leaves it out too.
 * @throws Error where the accepted definitions cannot be read.
 */
export function acceptedTools(
  { list, pinsFile }: UpstreamsSettings,
  leftOut: (fault: string) => void,
): MountedToolDefinition[] {
  if (list.length === 0) return [];
  const pins = readPins(pinsFile);
  return list.flatMap((upstream) =>
    [...(pins.get(upstream.name)?.values() ?? [])].flatMap((tool) => {
      try {
        const definition = mountTool(upstream, tool, neverCalled, undefined);
        return definition ? [definition] : [];
      } catch (error) {
        leftOut(`The upstream ${upstream.name}: ${tool.name} is left out: ${(error as Error).message}`);
        return [];
      }
    }),
  );
}

function neverCalled(): Promise<never> {
  return Promise.reject(new Error('Nothing is called here'));
}
