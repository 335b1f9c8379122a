/** `mcp-gate upstreams`: lists, tests, compares and accepts upstream definitions. */
import { readFileSync } from 'node:fs';
import { readStdin } from '../read-stdin.js';
import { EXIT_CANNOT_RUN, EXIT_FAILED, EXIT_OK, type CommandContext } from '../run-command.js';
import { UsageError } from '../usage.js';
import { LOG_EVENTS, type LogEvent } from '../../core/log-events.js';
import { SubjectToken } from '../../core/subject-token.js';
import type { Principal } from '../../core/principal.js';
import { escapeControlChars, quote } from '../../lib/format-text.js';
import { loadSettings } from '../../config/load-settings.js';
import type { UpstreamsSettings } from '../../config/settings.js';
import { useProxies } from '../../http/outbound/outbound.js';
import { unfitConditions } from '../../policy/unfit-conditions.js';
import type { MountedToolDefinition } from '../../tools/definitions.js';
import { matchingEntries, unmatchedPatterns } from '../../tools/mounted-names.js';
import type { UpstreamCaller } from '../../upstreams/connection/upstream-caller.js';
import { MountedUpstream } from '../../upstreams/mounted-upstream.js';
import { differences, readPins, writePins, type Pins } from '../../upstreams/pins.js';
import type { UpstreamTool } from '../../upstreams/connection/read-tools.js';
import type { UpstreamsRequest } from './command-line.js';
import {
  changed,
  digestOfChanges,
  mounted,
  renderChanged,
  renderMounted,
  renderTested,
  type Changed,
  type Tested,
} from './report.js';

type Tools = ReadonlyMap<string, UpstreamTool>;
type AcceptRequest = Extract<UpstreamsRequest, { kind: 'accept' }>;

const NONE: Tools = new Map();
const PROMPT = 'Paste the access token of a caller and press Ctrl-D.';

/** A contacted upstream and its problems. */
interface InspectedUpstream {
  readonly upstream: MountedUpstream;
  readonly problems: readonly string[];
  readonly milliseconds: number;
}

/** @throws ConfigurationError, or Error with a public message. */
export async function runUpstreams(request: UpstreamsRequest, context: CommandContext): Promise<number> {
  const { upstreams: settings, outbound } = loadSettings(context.environment(), (path) =>
    readFileSync(path, 'utf8'),
  );
  if (settings.list.length === 0) throw new Error('UPSTREAMS_FILE is not set: no upstream is mounted.');
  const known = settings.list.map(({ name }) => name);
  const unknown = request.names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`Unknown upstream ${quote(unknown)}. Upstreams: ${known.join(', ')}.`);
  }
  const pins = readPins(settings.pinsFile);
  const leaveProxies = await useProxies(outbound);
  try {
    switch (request.kind) {
      case 'list':
        return await list(request, settings, pins, context);
      case 'test':
        return await test(request, settings, context);
      case 'diff':
        return await diff(request, settings, pins, context);
      case 'accept':
        return await accept(request, settings, pins, context);
    }
  } finally {
    await leaveProxies();
  }
}

async function list(
  { names, json }: UpstreamsRequest,
  settings: UpstreamsSettings,
  pins: Pins,
  { write }: CommandContext,
): Promise<number> {
  const all = chosen(settings, names).map((one) => {
    const upstream = new MountedUpstream(one, contextOf(settings, []));
    const accepted = pins.get(one.name);
    const definitions = [...(accepted ?? NONE).values()].flatMap(
      (tool): [string, MountedToolDefinition][] => {
        const definition = upstream.mount(tool, undefined);
        return definition ? [[tool.name, definition]] : [];
      },
    );
    return mounted(one, accepted, definitions);
  });
  await write(`${json ? JSON.stringify(all, null, 2) : renderMounted(all)}\n`);
  return EXIT_OK;
}

async function test(
  command: UpstreamsRequest,
  settings: UpstreamsSettings,
  context: CommandContext,
): Promise<number> {
  const all = await inspect(command, settings, context);
  const tested = all.map(({ upstream, problems, milliseconds }): Tested => {
    const tools = [...(upstream.found ?? NONE).keys()].sort();
    const isNamed = (tool: string) => matchingEntries(upstream.settings, tool).length > 0;
    return {
      name: upstream.settings.name,
      ...mountingOf(upstream),
      answered: upstream.found !== undefined,
      about: upstream.about,
      milliseconds,
      named: tools.filter(isNamed),
      notNamed: tools.filter((tool) => !isNamed(tool)),
      unmatched: upstream.found ? unmatchedPatterns(upstream.settings, tools) : [],
      faults: upstream.faults,
      problems,
    };
  });
  await context.write(`${command.json ? JSON.stringify(tested, null, 2) : renderTested(tested)}\n`);
  const isGood = tested.every(({ answered, withheld }) => answered && withheld.length === 0);
  return isGood ? EXIT_OK : EXIT_FAILED;
}

/** Tools that cannot be mounted, and notes on others. */
function mountingOf(upstream: MountedUpstream): Pick<Tested, 'withheld' | 'remarks'> {
  const withheld: string[] = [];
  const remarks: string[] = [];
  for (const tool of (upstream.found ?? NONE).values()) {
    try {
      const definition = upstream.mount(tool, undefined);
      if (!definition) continue;
      withheld.push(...unfitConditions([definition]).values());
      remarks.push(...definition.remarks.map((remark) => `${tool.name}: ${remark}`));
    } catch (error) {
      withheld.push(`${tool.name} is omitted: ${(error as Error).message}`);
    }
  }
  return { withheld, remarks };
}

async function diff(
  command: UpstreamsRequest,
  settings: UpstreamsSettings,
  pins: Pins,
  context: CommandContext,
): Promise<number> {
  const all = await inspect(command, settings, context);
  const failed = warn(all);
  const changes = all.flatMap(({ upstream }) => changesOf(upstream, pins));
  const found = new Map(all.map(({ upstream }) => [upstream.settings.name, upstream.found ?? NONE]));
  const text = command.json
    ? JSON.stringify(changes, null, 2)
    : renderChanged(changes, ({ upstream }) => [pins.get(upstream) ?? NONE, found.get(upstream) ?? NONE]);
  await context.write(`${text}\n`);
  if (failed) return EXIT_CANNOT_RUN;
  return changes.length > 0 ? EXIT_FAILED : EXIT_OK;
}

async function accept(
  command: AcceptRequest,
  settings: UpstreamsSettings,
  pins: Pins,
  context: CommandContext,
): Promise<number> {
  const all = await inspect(command, settings, context);
  const failed = warn(all);
  const found = all
    .filter(({ upstream }) => upstream.found)
    .map(({ upstream }) => ({ upstream, differing: changesOf(upstream, pins) }));
  const seen = digestOfChanges(found.flatMap(({ differing }) => differing));
  if (command.digest !== undefined && command.digest !== seen) {
    console.error(
      `The definitions changed since digest ${command.digest}: no change was accepted. Run diff again.`,
    );
    return EXIT_FAILED;
  }
  const accepted = new Map<string, Tools>();
  const changes: Changed[] = [];
  for (const { upstream, differing } of found) {
    const { name } = upstream.settings;
    const wanted = differing.filter(({ tool }) => command.tools.length === 0 || command.tools.includes(tool));
    const unknown = command.tools.filter((tool) => !upstream.found?.has(tool) && !pins.get(name)?.has(tool));
    if (unknown.length > 0) {
      throw new UsageError(`${name} has no tool ${unknown.join(', ')}.`);
    }
    changes.push(...wanted);
    const tools = new Map(pins.get(name));
    for (const { tool, to } of wanted) {
      const now = upstream.found?.get(tool);
      if (to === null || !now) tools.delete(tool);
      else tools.set(tool, now);
    }
    accepted.set(name, tools);
  }
  // Other pins may have changed meanwhile.
  const latest = readPins(settings.pinsFile);
  const isNew = [...accepted.keys()].some((name) => !latest.has(name));
  if (isNew || changes.length > 0) await writePins(settings.pinsFile, new Map([...latest, ...accepted]));
  const said = changes.map(({ upstream, tool, from, to }) => {
    const kind = from === null ? 'new' : to === null ? 'gone' : 'changed';
    return `accepted: ${upstream}/${tool} (${kind})`;
  });
  const text = command.json ? JSON.stringify(changes, null, 2) : said.join('\n') || 'No changes to accept.';
  await context.write(`${text}\n`);
  return failed ? EXIT_CANNOT_RUN : EXIT_OK;
}

/** Sequential, so that output can be attributed. */
async function inspect(
  command: UpstreamsRequest,
  settings: UpstreamsSettings,
  { progress, onInterrupt }: CommandContext,
): Promise<InspectedUpstream[]> {
  const caller = command.withToken ? callerOf((await readStdin(PROMPT)).trim()) : undefined;
  const all: InspectedUpstream[] = [];
  for (const one of chosen(settings, command.names)) {
    const problems: string[] = [];
    const upstream = new MountedUpstream(one, contextOf(settings, problems));
    // Process groups of upstreams do not receive the signal of this process.
    const remove = onInterrupt(() => upstream.kill());
    progress(`Asking ${one.name}`);
    const started = performance.now();
    if (upstream.needsCaller && !caller) problems.push('needs the identity of a caller: use --token -');
    else await upstream.refresh(caller);
    all.push({ upstream, problems, milliseconds: Math.round(performance.now() - started) });
    await upstream.close();
    remove();
  }
  return all;
}

function warn(all: readonly InspectedUpstream[]): boolean {
  const failed = all.filter(({ upstream }) => !upstream.found);
  for (const { upstream, problems } of failed) {
    console.error(`${upstream.settings.name}: FAILED: ${problems.map(escapeControlChars).join('; ')}`);
  }
  return failed.length > 0;
}

function changesOf({ settings, found }: MountedUpstream, pins: Pins): Changed[] {
  if (!found) return [];
  const before = pins.get(settings.name) ?? NONE;
  const isNamed = (tool: string) => matchingEntries(settings, tool).length > 0;
  return changed(settings.name, differences(before, found), before, found, isNamed);
}

function chosen({ list: all }: UpstreamsSettings, names: readonly string[]) {
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}

function contextOf({ folder }: UpstreamsSettings, problems: string[]) {
  return {
    folder,
    identityHeader: undefined,
    log: {
      write: (event: LogEvent, message: string) => {
        if (LOG_EVENTS[event].level !== 'debug') problems.push(message);
      },
    },
    onFound: () => undefined,
  };
}

/** The token is not verified: its audience decides. */
function callerOf(token: string): UpstreamCaller {
  const principal: Principal = {
    issuer: '',
    subject: '',
    kind: 'human',
    clientId: '',
    tenant: null,
    scopes: [],
    roles: [],
    acr: [],
    authenticatedAt: null,
    tokenId: null,
    expiresAt: Infinity,
    delegation: [],
    delegationOmitted: 0,
  };
  return { principal, token: new SubjectToken(token) };
}
