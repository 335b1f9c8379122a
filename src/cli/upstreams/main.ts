/** `npm run upstreams`: what is mounted, whether it answers, what of it has changed, and accepting that. */
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { lostOptions, usageError, WRONG_USAGE } from '../usage.js';
import { SubjectToken } from '../../core/subject-token.js';
import type { Principal } from '../../core/principal.js';
import { escapeControlChars } from '../../lib/format-text.js';
import { npmVariables, readEnvironment } from '../../config/environment.js';
import { ConfigurationError, loadSettings } from '../../config/load-settings.js';
import type { UpstreamsSettings } from '../../config/settings.js';
import { useProxies } from '../../http/outbound/outbound.js';
import { unfitConditions } from '../../policy/unfit-conditions.js';
import type { MountedToolDefinition } from '../../tools/definitions.js';
import { matchingEntries, unmatchedPatterns } from '../../tools/mounted-names.js';
import type { UpstreamCaller } from '../../upstreams/connection/upstream-caller.js';
import { MountedUpstream } from '../../upstreams/mounted-upstream.js';
import { differences, readPins, writePins, type Pins } from '../../upstreams/pins.js';
import type { UpstreamTool } from '../../upstreams/connection/read-tools.js';
import { HELP, readCommandLine, USAGE, type Command } from './command-line.js';
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
type Asked = Exclude<Command, { kind: 'help' | 'wrong' }>;

const NONE: Tools = new Map();
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** An upstream that was asked, and what it complained about meanwhile. */
interface InspectedUpstream {
  readonly upstream: MountedUpstream;
  readonly problems: readonly string[];
  readonly milliseconds: number;
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  if (args.some((arg) => arg === '-h' || arg === '--help')) {
    console.log(HELP);
    return 0;
  }
  const lost = lostOptions(USAGE, args, npmVariables());
  if (lost !== undefined) {
    console.error(usageError(USAGE, lost));
    return WRONG_USAGE;
  }
  const { upstreams: settings, outbound } = loadSettings(readEnvironment(), (path) =>
    readFileSync(path, 'utf8'),
  );
  if (settings.list.length === 0) {
    console.error('UPSTREAMS_FILE is not set: nothing is mounted.');
    return 1;
  }
  const command = readCommandLine(
    args,
    settings.list.map(({ name }) => name),
  );
  if (command.kind === 'help') {
    console.log(HELP);
    return 0;
  }
  if (command.kind === 'wrong') {
    console.error(usageError(USAGE, command.message));
    return WRONG_USAGE;
  }
  const pins = readPins(settings.pinsFile);
  const leaveProxies = await useProxies(outbound);
  try {
    switch (command.kind) {
      case 'list':
        return list(command, settings, pins);
      case 'test':
        return await test(command, settings);
      case 'diff':
        return await diff(command, settings, pins);
      case 'accept':
        return await accept(command, settings, pins);
    }
  } finally {
    await leaveProxies();
  }
}

function list({ names, json }: Asked, settings: UpstreamsSettings, pins: Pins): number {
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
  console.log(json ? JSON.stringify(all, null, 2) : renderMounted(all));
  return 0;
}

async function test(command: Asked, settings: UpstreamsSettings): Promise<number> {
  const all = await inspect(command, settings);
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
  console.log(command.json ? JSON.stringify(tested, null, 2) : renderTested(tested));
  return tested.every(({ answered, withheld }) => answered && withheld.length === 0) ? 0 : 1;
}

/** Tools that cannot be mounted as the file says, and remarks about the others. */
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
      withheld.push(`${tool.name} is left out: ${(error as Error).message}`);
    }
  }
  return { withheld, remarks };
}

async function diff(command: Asked, settings: UpstreamsSettings, pins: Pins): Promise<number> {
  const all = await inspect(command, settings);
  const failed = warn(all);
  const changes = all.flatMap(({ upstream }) => changesOf(upstream, pins));
  const found = new Map(all.map(({ upstream }) => [upstream.settings.name, upstream.found ?? NONE]));
  console.log(
    command.json
      ? JSON.stringify(changes, null, 2)
      : renderChanged(changes, ({ upstream }) => [pins.get(upstream) ?? NONE, found.get(upstream) ?? NONE]),
  );
  return failed || changes.length > 0 ? 1 : 0;
}

async function accept(
  command: Extract<Command, { kind: 'accept' }>,
  settings: UpstreamsSettings,
  pins: Pins,
): Promise<number> {
  const all = await inspect(command, settings);
  const failed = warn(all);
  const found = all
    .filter(({ upstream }) => upstream.found)
    .map(({ upstream }) => ({ upstream, differing: changesOf(upstream, pins) }));
  const seen = digestOfChanges(found.flatMap(({ differing }) => differing));
  if (command.digest !== undefined && command.digest !== seen) {
    console.error(
      `There is something else now than ${command.digest} was told for: nothing was accepted. Look again with diff.`,
    );
    return 1;
  }
  const accepted = new Map<string, Tools>();
  const changes: Changed[] = [];
  for (const { upstream, differing } of found) {
    const { name } = upstream.settings;
    const wanted = differing.filter(({ tool }) => command.tools.length === 0 || command.tools.includes(tool));
    const unknown = command.tools.filter((tool) => !upstream.found?.has(tool) && !pins.get(name)?.has(tool));
    if (unknown.length > 0) {
      console.error(`${name} has no tool ${unknown.join(', ')}.`);
      return 2;
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
  // Others may have been accepted while these were asked.
  const latest = readPins(settings.pinsFile);
  const isNew = [...accepted.keys()].some((name) => !latest.has(name));
  if (isNew || changes.length > 0) await writePins(settings.pinsFile, new Map([...latest, ...accepted]));
  const said = changes.map(({ upstream, tool, from, to }) => {
    const kind = from === null ? 'new' : to === null ? 'gone' : 'changed';
    return `accepted: ${upstream}/${tool} (${kind})`;
  });
  console.log(
    command.json ? JSON.stringify(changes, null, 2) : said.join('\n') || 'There was nothing to accept.',
  );
  return failed ? 1 : 0;
}

/** Asks each, one after the other, so that what is said can be told apart. */
async function inspect(command: Asked, settings: UpstreamsSettings): Promise<InspectedUpstream[]> {
  const caller = command.withToken ? callerOf(readFileSync(0, 'utf8').trim()) : undefined;
  const all: InspectedUpstream[] = [];
  for (const one of chosen(settings, command.names)) {
    const problems: string[] = [];
    const upstream = new MountedUpstream(one, contextOf(settings, problems));
    // Who is interrupted leaves nobody behind: processes of groups of their own are not interrupted with it.
    const end = (signal: NodeJS.Signals) => {
      upstream.kill();
      process.exit(128 + constants.signals[signal]);
    };
    for (const signal of SIGNALS) process.once(signal, end);
    const started = performance.now();
    if (upstream.needsCaller && !caller) problems.push('it is asked in the name of a caller: --token -');
    else await upstream.refresh(caller);
    all.push({ upstream, problems, milliseconds: Math.round(performance.now() - started) });
    await upstream.close();
    for (const signal of SIGNALS) process.off(signal, end);
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
    log: { debug: () => undefined, warn: (text: string) => void problems.push(text) },
    onFound: () => undefined,
  };
}

/** The token is not looked at here: who it is for decides whether it is good. */
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

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof ConfigurationError ? error.message : (error as Error).message);
    process.exitCode = 1;
  },
);
