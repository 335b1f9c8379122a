/** Reads the upstreams of `UPSTREAMS_FILE` and returns settings or all faults. Pure except for {@link ReadFile}. */
import { MODERN_REVISION } from '../core/revisions.js';
import { escapeControlChars } from '../lib/format-text.js';
import type { UpstreamSettings, UpstreamToolSettings } from './settings.js';
import { identityHeaderOf, toAuth } from './upstream-auth.js';
import {
  AssuranceEntry,
  AUTH_ENTRIES,
  FileEntry,
  IdentityHeaderEntry,
  IdentityProviderEntry,
  texts,
  TimeoutsEntry,
  ToolEntry,
  UpstreamEntry,
  type AuthEntry,
} from './upstream-entries.js';
import { toProcess } from './upstream-process.js';
import type { Reading } from './upstream-secrets.js';
import {
  checkEntry,
  parseYaml,
  SecretFiles,
  type Entry,
  type FaultReporter,
  type ReadFile,
} from './yaml-file.js';

/** Name of the file in decisions, independent of its path. */
const FILE = 'upstreams.yaml';
const MAX_UPSTREAMS = 100;
const MIB = 1024 * 1024;

/** Members of one transport only. */
const ONLY_STDIO = ['env', 'env_files', 'working_directory'] as const;
const ONLY_HTTP = ['auth', 'identity_header'] as const;
const PER_CALLER_ONLY = ['max_processes', 'idle_seconds'] as const;

/** @returns the settings; not valid after a fault. */
export function readUpstreamsFile(path: string, read: ReadFile, faults: string[]): UpstreamSettings[] {
  const report: FaultReporter = (place, fault) => faults.push(`UPSTREAMS_FILE: ${place}${fault}`);
  const file = parseYaml(path, read, 'upstreams', report);
  if (!file) return [];
  if (file.upstreams === undefined && PASTED.some((name) => file[name] !== undefined)) {
    report('', pastedFault(file));
    return [];
  }
  const before = faults.length;
  checkEntry(FileEntry, file, '', {}, report);
  const { upstreams } = file;
  if (!Array.isArray(upstreams) || upstreams.length === 0 || upstreams.length > MAX_UPSTREAMS) {
    report('upstreams: ', `must be a list of 1 to ${MAX_UPSTREAMS} upstreams`);
    return [];
  }
  upstreams.forEach((one: unknown, at) => checkForms(one, `upstreams[${at}]`, report));
  if (faults.length > before) return [];
  const reading: Reading = { path, secrets: new SecretFiles(path, read, report), report };
  const settings = (upstreams as UpstreamEntry[]).map((entry, at) =>
    toUpstream(entry, `upstreams[${at}].`, reading),
  );
  crossValidate(settings, report);
  return settings;
}

/** Members of client configurations: most MCP clients, and VS Code. */
const PASTED = ['mcpServers', 'servers', 'mcp'] as const;

/** Advice for a pasted client configuration. It repeats names only: other values may be secret. */
function pastedFault(file: Entry): string {
  const servers =
    PASTED.map((name) => file[name]).find((one) => typeof one === 'object' && one !== null) ?? {};
  const names = Object.keys(servers)
    .slice(0, 5)
    .map((name) => escapeControlChars(name.slice(0, 40)));
  const them = names.length > 0 ? ` (${names.join(', ')})` : '';
  return (
    `this is the configuration of an MCP client${them}, which has no access rules. ` +
    'Write a list under upstreams: for each server name, command: [PROGRAM, ARGUMENT…] with env, or url, and tools: [{ match, scopes }]'
  );
}

function checkForms(value: unknown, place: string, report: FaultReporter): void {
  checkEntry(
    UpstreamEntry,
    value,
    place,
    { timeouts: TimeoutsEntry, identity_header: IdentityHeaderEntry },
    report,
  );
  if (typeof value !== 'object' || value === null) return;
  const { auth, tools } = value as UpstreamEntry;
  if (auth !== undefined && auth !== null) checkAuth(auth, `${place}.auth`, report);
  if (!Array.isArray(tools) || tools.length === 0) {
    report(
      `${place}.tools: `,
      'must be a list of at least one entry: a tool without an entry is not mounted',
    );
    return;
  }
  tools.forEach((one: unknown, at) =>
    checkEntry(ToolEntry, one, `${place}.tools[${at}]`, { assurance: AssuranceEntry }, report),
  );
}

function checkAuth(value: unknown, place: string, report: FaultReporter): void {
  const { method } = (typeof value === 'object' ? value : {}) as Partial<AuthEntry>;
  const isKnown = typeof method === 'string' && Object.hasOwn(AUTH_ENTRIES, method);
  if (!isKnown) {
    report(`${place}.method: `, 'must be secret, client_credentials, token_exchange or id_jag');
    return;
  }
  const nested = method === 'id_jag' ? { identity_provider: IdentityProviderEntry } : {};
  checkEntry(AUTH_ENTRIES[method], value, place, nested as Record<string, new () => object>, report);
  if (method === 'id_jag' && (value as Entry).identity_provider === undefined) {
    report(`${place}.identity_provider: `, 'is required and not set');
  }
}

function toUpstream(entry: UpstreamEntry, place: string, reading: Reading): UpstreamSettings {
  const { report } = reading;
  if ((entry.command === undefined) === (entry.url === undefined)) {
    report(place, 'has either a command or a url');
  }
  const idle = [
    ...(entry.command === undefined ? ONLY_STDIO : ONLY_HTTP),
    ...((entry.processes ?? 'shared') === 'shared' ? PER_CALLER_ONLY : []),
  ];
  for (const name of idle.filter((one) => entry[one] !== undefined)) {
    report(`${place}${name}: `, 'has no effect for an upstream of this kind');
  }
  const { timeouts = {} } = entry;
  const name = entry.name;
  const base = {
    name,
    prefix: entry.prefix ?? `${name}_`,
    processes: entry.processes ?? 'shared',
    maxProcesses: entry.max_processes ?? 10,
    idleMs: (entry.idle_seconds ?? 300) * 1000,
    concurrency: entry.concurrency ?? 8,
    protocol: entry.protocol === MODERN_REVISION ? 'modern' : (entry.protocol ?? 'auto'),
    connectTimeoutMs: (timeouts.connect_seconds ?? 30) * 1000,
    listTimeoutMs: (timeouts.list_seconds ?? 30) * 1000,
    callTimeoutMs: (timeouts.call_seconds ?? 60) * 1000,
    maxAnswerBytes: (entry.max_answer_mib ?? 10) * MIB,
    trustFirstUse: entry.trust_first_use ?? true,
    relaysErrors: entry.relay_errors ?? false,
    tools: (entry.tools as ToolEntry[]).map((tool, at) =>
      toTool(tool, name, `${place}tools[${at}].`, report),
    ),
  } as const;
  return entry.url === undefined
    ? { ...base, transport: 'stdio', ...toProcess(entry, place, reading) }
    : {
        ...base,
        transport: 'http',
        url: entry.url,
        auth:
          entry.auth === undefined ? undefined : toAuth(entry.auth as AuthEntry, `${place}auth.`, reading),
        identityHeader: identityHeaderOf(entry, place, report),
      };
}

function toTool(
  entry: ToolEntry,
  upstream: string,
  place: string,
  report: FaultReporter,
): UpstreamToolSettings {
  const asks = entry.scopes !== undefined || entry.roles !== undefined;
  if (!asks && !entry.any_principal) {
    report(place, 'has no access rule: set scopes, roles or any_principal: true');
  }
  if (asks && entry.any_principal) report(`${place}any_principal: `, 'contradicts scopes and roles');
  if (entry.allow_workload && entry.assurance) {
    report(`${place}allow_workload: `, 'contradicts assurance: a workload never authenticates as a person');
  }
  const match = texts(entry.match);
  const isExact = match.length === 1 && !match[0]?.includes('*');
  for (const name of (['name', 'title', 'description'] as const).filter((one) => entry[one] !== undefined)) {
    if (!isExact) report(`${place}${name}: `, 'is for one tool: match must be its exact name');
  }
  const recordedArguments = texts(entry.audit_arguments);
  if (recordedArguments.length > 20) report(`${place}audit_arguments: `, 'must be at most 20 names');
  const { assurance } = entry;
  return {
    source: `${FILE}: ${upstream}/${match.join(',')}`,
    match,
    scopes: texts(entry.scopes),
    roles: texts(entry.roles),
    allowWorkload: entry.allow_workload ?? false,
    assurance: assurance ? { acr: texts(assurance.acr), maxAgeSeconds: assurance.max_age ?? null } : null,
    conditions: texts(entry.conditions),
    readOnly: entry.read_only ?? false,
    recordedArguments,
    name: entry.name,
    title: entry.title,
    description: entry.description,
    timeoutMs: entry.timeout_seconds === undefined ? undefined : entry.timeout_seconds * 1000,
  };
}

/** Checks across upstreams. */
function crossValidate(upstreams: readonly UpstreamSettings[], report: FaultReporter): void {
  upstreams.forEach((one, at) => {
    for (const member of ['name', 'prefix'] as const) {
      const first = upstreams.findIndex((other) => other[member] === one[member]);
      if (first < at) report(`upstreams[${at}].${member}: `, `is the same as that of upstreams[${first}]`);
    }
    // Otherwise tools of two upstreams could have the same name.
    const inside = upstreams.findIndex(
      ({ prefix }) => prefix !== one.prefix && one.prefix.startsWith(prefix),
    );
    if (inside >= 0) report(`upstreams[${at}].prefix: `, `begins with that of upstreams[${inside}]`);
  });
}
