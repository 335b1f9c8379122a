/** Changes of pins: audit records and log lines. Pure. */
import type { Change } from '../audit/record.js';
import type { LogEvent } from '../core/log-events.js';
import { differences, type Difference, type Pins } from './pins.js';

const MAX_NAMES = 100;

export type UpstreamChange = Extract<Change, { what: 'upstream' }>;

/** `pins` without the upstreams of these changes. */
export function withoutChanged(pins: Pins, changes: readonly UpstreamChange[]): Pins {
  return new Map([...pins].filter(([name]) => !changes.some(({ upstream }) => upstream === name)));
}

/** One change per upstream with changed pins, sorted by name. */
export function acceptedChanges(before: Pins, now: Pins): UpstreamChange[] {
  const names = [...new Set([...before.keys(), ...now.keys()])].sort();
  return names.flatMap((name) => {
    const changed = differences(before.get(name) ?? new Map(), now.get(name) ?? new Map());
    return changed.length > 0 ? [changeOf(name, 'accepted', changed)] : [];
  });
}

/** @param found at most 100 are recorded by name, others as a number. */
export function changeOf(
  upstream: string,
  action: UpstreamChange['action'],
  found: readonly Difference[],
): UpstreamChange {
  return {
    what: 'upstream',
    upstream,
    action,
    tools: found.slice(0, MAX_NAMES),
    ...(found.length > MAX_NAMES && { more: found.length - MAX_NAMES }),
  };
}

export const CHANGE_EVENTS = {
  pinned: 'upstream.mounted',
  accepted: 'upstream.tool_accepted',
  withheld: 'upstream.tool_changed',
  restored: 'upstream.tool_restored',
} as const satisfies Readonly<Record<UpstreamChange['action'], LogEvent>>;

/** Log line. */
export function describeChange({ upstream, action, tools, more = 0 }: UpstreamChange): string {
  const count = tools.length + more;
  switch (action) {
    case 'pinned':
      return `Upstream ${upstream}: mounted, ${count} tool(s) accepted at first use`;
    case 'accepted':
      return `Upstream ${upstream}: ${count} changed tool(s) accepted`;
    case 'withheld': {
      const names = tools.map(
        ({ tool, from, to }) => `${tool} (${from === null ? 'new' : to === null ? 'gone' : 'changed'})`,
      );
      return `Upstream ${upstream}: withheld until accepted: ${names.join(', ')}`;
    }
    case 'restored':
      return `Upstream ${upstream}: all tools match the accepted definitions again`;
  }
}
