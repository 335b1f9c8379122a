/** MCP servers behind the gate (`UPSTREAMS_FILE`): text in, settings out, or every fault at once. Pure but for {@link ReadFile}. */
import { IsBoolean, IsIn, IsOptional, IsString, Matches, MaxLength, ValidateIf } from 'class-validator';
import { dirname, resolve } from 'node:path';
import { escapeControlChars } from '../lib/format-text.js';
import { isJsonObject } from '../lib/json.js';
import { ClientEntry, lineFault, readClient } from './client-entry.js';
import { IsNumber, IsPath, IsSecureUrl, IsStringList } from './rules.js';
import type {
  TokenRequestSettings,
  UpstreamAuthSettings,
  UpstreamSettings,
  UpstreamToolSettings,
} from './settings.js';
import {
  checkEntry,
  parseYaml,
  SecretFiles,
  type Entry,
  type ReadFile,
  type FaultReporter,
} from './yaml-file.js';
import { MODERN_REVISION } from '../core/revisions.js';

/** How decisions name the file, whatever it is called. */
const FILE = 'upstreams.yaml';
/** RFC 6749 section 3.3, `scope-token`. */
const TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const NAME = /^[a-z][a-z0-9-]{0,31}$/;
/** MCP 2026-07-28, server/tools, "Tool Names". */
const TOOL_NAME = /^[A-Za-z0-9_.-]{1,128}$/;
const PATTERN = /^[A-Za-z0-9_.*-]{1,128}$/;
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const HEADER = /^[A-Za-z0-9-]{1,100}$/;
/** Headers that the gate, HTTP or MCP itself has a use for. */
const TAKEN_HEADER =
  /^(host|cookie|connection|content-.*|transfer-encoding|accept|mcp-.*|traceparent|tracestate)$/i;
/** RFC 9110 section 5.5, without spaces at its ends. */
const HEADER_VALUE = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
const MAX_UPSTREAMS = 100;
const MIB = 1024 * 1024;

const isToken = (text: string) => TOKEN.test(text);

class FileEntry {
  /** Each checked against {@link UpstreamEntry}. */
  @IsOptional()
  upstreams: unknown;
}

class TimeoutsEntry {
  @IsOptional()
  @IsNumber(1, 600)
  connect_seconds?: number;

  @IsOptional()
  @IsNumber(1, 600)
  list_seconds?: number;

  @IsOptional()
  @IsNumber(1, 3_600)
  call_seconds?: number;
}

class IdentityHeaderEntry {
  @Matches(HEADER, { message: 'must be the name of a header' })
  name: string;

  @Matches(/^[^\s\p{Cc}]+$/u, { message: 'must be a text without spaces' })
  audience: string;
}

/** A token that is asked for at an authorization server. */
class TokenRequestEntry extends ClientEntry {
  @IsSecureUrl({ query: true })
  token_endpoint: string;

  @IsOptional()
  @IsSecureUrl()
  issuer?: string;

  @IsOptional()
  @Matches(/^[^\s\p{Cc}]+$/u, { message: 'must be a text without spaces' })
  audience?: string;

  @IsOptional()
  @IsSecureUrl({ query: true })
  resource?: string;

  @IsOptional()
  @IsStringList(isToken, 'scopes')
  scope?: string | readonly string[];
}

class AuthEntry {
  @IsIn(['secret', 'client_credentials', 'token_exchange', 'id_jag'], {
    message: 'must be secret, client_credentials, token_exchange or id_jag',
  })
  method: UpstreamAuthSettings['method'];
}

class SecretAuthEntry extends AuthEntry {
  @IsPath()
  secret_file: string;

  @IsOptional()
  @Matches(HEADER, { message: 'must be the name of a header' })
  header?: string;
}

class ClientCredentialsEntry extends TokenRequestEntry {
  @IsIn(['client_credentials'])
  method: 'client_credentials';
}

class TokenExchangeEntry extends TokenRequestEntry {
  @IsIn(['token_exchange'])
  method: 'token_exchange';

  @IsBoolean({ message: 'must be true or false' })
  actor_token: boolean;
}

class IdJagEntry extends TokenRequestEntry {
  @IsIn(['id_jag'])
  method: 'id_jag';

  /** Checked against {@link IdentityProviderEntry}. */
  @IsOptional()
  identity_provider?: unknown;
}

class IdentityProviderEntry extends TokenRequestEntry {}

const AUTH_ENTRIES = {
  secret: SecretAuthEntry,
  client_credentials: ClientCredentialsEntry,
  token_exchange: TokenExchangeEntry,
  id_jag: IdJagEntry,
} as const;

class UpstreamEntry {
  @Matches(NAME, { message: 'must be 1 to 32 characters of a-z 0-9 -, a letter first' })
  name: string;

  @IsOptional()
  @Matches(/^[A-Za-z0-9_.-]{1,64}$/, { message: 'must be 1 to 64 characters of A-Z a-z 0-9 _ . -' })
  prefix?: string;

  /** Each part checked in {@link toCommand}. */
  @IsOptional()
  command?: unknown;

  /** Checked in {@link environmentOf}. */
  @IsOptional()
  env?: unknown;

  /** Checked in {@link environmentOf}. */
  @IsOptional()
  env_files?: unknown;

  @IsOptional()
  @IsPath()
  working_directory?: string;

  @IsOptional()
  @IsSecureUrl({ query: true })
  url?: string;

  /** Checked against one of {@link AUTH_ENTRIES}. */
  @IsOptional()
  auth?: unknown;

  /** Checked against {@link IdentityHeaderEntry}. */
  @IsOptional()
  identity_header?: IdentityHeaderEntry;

  @IsOptional()
  @IsIn(['shared', 'per_person', 'per_client'], { message: 'must be shared, per_person or per_client' })
  processes?: 'shared' | 'per_person' | 'per_client';

  @IsOptional()
  @IsNumber(1, 1_000)
  max_processes?: number;

  @IsOptional()
  @IsNumber(1, 86_400)
  idle_seconds?: number;

  @IsOptional()
  @IsNumber(1, 1_000)
  concurrency?: number;

  @IsOptional()
  @IsIn(['auto', 'legacy', MODERN_REVISION], { message: `must be auto, legacy or ${MODERN_REVISION}` })
  protocol?: 'auto' | 'legacy' | typeof MODERN_REVISION;

  /** Checked against {@link TimeoutsEntry}. */
  @IsOptional()
  timeouts?: TimeoutsEntry;

  @IsOptional()
  @IsNumber(1, 256)
  max_answer_mib?: number;

  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  trust_first_use?: boolean;

  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  relay_errors?: boolean;

  /** Each checked against {@link ToolEntry}. */
  @IsOptional()
  tools?: unknown;
}

class AssuranceEntry {
  @IsOptional()
  @IsStringList(isToken, 'authentication contexts')
  acr?: string | readonly string[];

  @ValidateIf((entry: AssuranceEntry) => entry.acr === undefined || entry.max_age !== undefined)
  @IsNumber(1, 1_000_000_000)
  max_age?: number;
}

class ToolEntry {
  @IsStringList((text) => PATTERN.test(text), "the upstream's names of tools, with * for any characters")
  match: string | readonly string[];

  @IsOptional()
  @IsStringList(isToken, 'scopes')
  scopes?: string | readonly string[];

  @IsOptional()
  @IsStringList(isToken, 'roles')
  roles?: string | readonly string[];

  @IsOptional()
  @IsIn([true], { message: 'must be true, or left out' })
  any_principal?: true;

  @IsOptional()
  @IsIn([true], { message: 'must be true, or left out' })
  allow_workload?: true;

  /** Checked against {@link AssuranceEntry}. */
  @IsOptional()
  assurance?: AssuranceEntry;

  @IsOptional()
  @IsStringList((text) => text.trim() !== '' && text.length <= 2_000, 'Cedar expressions that must all hold')
  conditions?: string | readonly string[];

  @IsOptional()
  @IsIn([true], { message: 'must be true, or left out' })
  read_only?: true;

  @IsOptional()
  @IsStringList((text) => text.length <= 128, 'at most 20 names of arguments')
  audit_arguments?: string | readonly string[];

  @IsOptional()
  @Matches(TOOL_NAME, { message: 'must be 1 to 128 characters of A-Z a-z 0-9 _ . -' })
  name?: string;

  @IsOptional()
  @IsString({ message: 'must be a text' })
  @MaxLength(200, { message: 'must have at most 200 characters' })
  title?: string;

  @IsOptional()
  @IsString({ message: 'must be a text' })
  @MaxLength(4_000, { message: 'must have at most 4000 characters' })
  description?: string;

  @IsOptional()
  @IsNumber(1, 3_600)
  timeout_seconds?: number;
}

/** What only one of the two ways to reach an upstream can have. */
const ONLY_STDIO = ['env', 'env_files', 'working_directory'] as const;
const ONLY_HTTP = ['auth', 'identity_header'] as const;
const PER_CALLER_ONLY = ['max_processes', 'idle_seconds'] as const;

interface Reading {
  readonly path: string;
  readonly secrets: SecretFiles;
  readonly report: FaultReporter;
}

/** @returns the settings; meaningless where a fault was added. */
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
  checkTogether(settings, report);
  return settings;
}

/** How the configuration of an MCP client names its servers: most of them, and VS Code. */
const PASTED = ['mcpServers', 'servers', 'mcp'] as const;

/** What to write in place of a pasted configuration of a client. Only names are repeated: the rest may be secret. */
function pastedFault(file: Entry): string {
  const servers =
    PASTED.map((name) => file[name]).find((one) => typeof one === 'object' && one !== null) ?? {};
  const names = Object.keys(servers)
    .slice(0, 5)
    .map((name) => escapeControlChars(name.slice(0, 40)));
  const them = names.length > 0 ? ` (${names.join(', ')})` : '';
  return (
    `this is the configuration of an MCP client${them}, which does not say who may call which tool. ` +
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
    report(`${place}.tools: `, 'must be a list of at least one entry: what no entry names is not there');
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

function toProcess(entry: UpstreamEntry, place: string, reading: Reading) {
  const secrets: string[] = [];
  const command = toCommand(entry.command, `${place}command`, reading, secrets);
  const environment = environmentOf(entry, place, reading, secrets);
  const { working_directory: folder } = entry;
  return {
    command,
    environment,
    workingDirectory: folder && resolve(dirname(reading.path), folder),
    secrets,
  };
}

/** A program and its arguments; one of them may be in a file, since it is a secret. */
function toCommand(
  value: unknown,
  place: string,
  { secrets, report }: Reading,
  found: string[],
): readonly [string, ...string[]] {
  const parts: unknown[] = Array.isArray(value) ? value : [];
  const read = parts.map((part, at) => {
    if (typeof part === 'string' && part !== '' && !part.includes('\0')) return part;
    const { file } = (isJsonObject(part) ? part : {}) as { file?: unknown };
    if (at > 0 && typeof file === 'string' && Object.keys(part as object).length === 1) {
      return secretOf(file, `${place}[${at}].file`, secrets, report, found);
    }
    report(`${place}[${at}]: `, 'must be a text, or (not the first) a mapping with the member file');
    return '';
  });
  if (read.length === 0) report(`${place}: `, 'must be a list: the program, and its arguments');
  return read as [string, ...string[]];
}

function environmentOf(
  { env = {}, env_files: files = {} }: UpstreamEntry,
  place: string,
  { secrets, report }: Reading,
  found: string[],
): Record<string, string> {
  const variables = new Map<string, string>();
  for (const [member, given] of [
    ['env', env],
    ['env_files', files],
  ] as const) {
    if (!isJsonObject(given)) {
      report(`${place}${member}: `, 'must be a mapping from names of variables to texts');
      continue;
    }
    for (const [name, value] of Object.entries(given)) {
      const at = `${place}${member}.${name.slice(0, 40)}`;
      if (!ENV_NAME.test(name) || typeof value !== 'string' || value.includes('\0')) {
        report(`${at}: `, 'must be a text, under the name of a variable (numbers in quotes)');
      } else if (variables.has(name)) report(`${at}: `, 'is there twice');
      else {
        variables.set(name, member === 'env' ? value : secretOf(value, at, secrets, report, found));
      }
    }
  }
  return Object.fromEntries(variables);
}

function secretOf(
  file: string,
  place: string,
  secrets: SecretFiles,
  report: FaultReporter,
  found: string[],
): string {
  const secret = secrets.optional(file, place, 1) ?? '';
  const fault = lineFault(secret);
  if (fault !== undefined) report(`${place}: `, fault);
  found.push(secret);
  return secret;
}

function toAuth(entry: AuthEntry, place: string, reading: Reading): UpstreamAuthSettings {
  const { secrets, report } = reading;
  switch (entry.method) {
    case 'secret': {
      const { secret_file: file, header = 'Authorization' } = entry as SecretAuthEntry;
      const secret = secretOf(file, `${place}secret_file`, secrets, report, []);
      if (secret !== '' && !HEADER_VALUE.test(secret)) {
        report(`${place}secret_file: `, 'the file holds what no header can carry');
      }
      if (TAKEN_HEADER.test(header)) report(`${place}header: `, 'has another meaning already');
      const isBare = header.toLowerCase() === 'authorization' && !secret.includes(' ');
      return { method: 'secret', header, value: isBare ? `Bearer ${secret}` : secret };
    }
    case 'client_credentials':
      return {
        method: 'client_credentials',
        ...toTokenRequest(entry as ClientCredentialsEntry, place, reading),
      };
    case 'token_exchange': {
      const requestContext = entry as TokenExchangeEntry;
      return {
        method: 'token_exchange',
        actor: requestContext.actor_token,
        ...toTokenRequest(requestContext, place, reading),
      };
    }
    case 'id_jag': {
      const jag = entry as IdJagEntry;
      const provider = jag.identity_provider as IdentityProviderEntry;
      const own = toTokenRequest(jag, place, reading);
      if (jag.issuer === undefined) report(`${place}issuer: `, 'is required: the grant is made out to it');
      for (const name of ['audience', 'resource', 'scope'] as const) {
        if (provider[name] !== undefined) {
          report(`${place}identity_provider.${name}: `, 'belongs one level up: it is what the grant is for');
        }
      }
      const grant = toTokenRequest(provider, `${place}identity_provider.`, reading);
      return {
        method: 'id_jag',
        ...own,
        grant: { ...grant, audience: own.issuer, resource: own.resource, scope: own.scope },
      };
    }
  }
}

function toTokenRequest(
  entry: TokenRequestEntry,
  place: string,
  { secrets, report }: Reading,
): TokenRequestSettings {
  const { scope } = entry;
  return {
    ...readClient(entry, place, secrets, report),
    tokenEndpoint: entry.token_endpoint,
    issuer: entry.issuer ?? entry.token_endpoint,
    audience: entry.audience,
    resource: entry.resource,
    scope: scope === undefined ? undefined : texts(scope).join(' '),
  };
}

function identityHeaderOf(
  { identity_header: header, auth }: UpstreamEntry,
  place: string,
  report: FaultReporter,
) {
  if (!header) return undefined;
  const own = auth as { method?: string; header?: string } | undefined;
  const other = own?.method === 'secret' ? (own.header ?? 'Authorization') : own && 'Authorization';
  if (TAKEN_HEADER.test(header.name) || header.name.toLowerCase() === other?.toLowerCase()) {
    report(`${place}identity_header.name: `, 'has another meaning already');
  }
  return header;
}

function toTool(
  entry: ToolEntry,
  upstream: string,
  place: string,
  report: FaultReporter,
): UpstreamToolSettings {
  const asks = entry.scopes !== undefined || entry.roles !== undefined;
  if (!asks && !entry.any_principal) {
    report(place, 'says nobody who may: name scopes, roles or, on purpose, any_principal: true');
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

/** What only shows when all upstreams are looked at. */
function checkTogether(upstreams: readonly UpstreamSettings[], report: FaultReporter): void {
  upstreams.forEach((one, at) => {
    for (const member of ['name', 'prefix'] as const) {
      const first = upstreams.findIndex((other) => other[member] === one[member]);
      if (first < at) report(`upstreams[${at}].${member}: `, `is the same as that of upstreams[${first}]`);
    }
    // Otherwise a tool of the one could have the name of a tool of the other.
    const inside = upstreams.findIndex(
      ({ prefix }) => prefix !== one.prefix && one.prefix.startsWith(prefix),
    );
    if (inside >= 0) report(`upstreams[${at}].prefix: `, `begins with that of upstreams[${inside}]`);
  });
}

function texts(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : [...new Set(value)];
}
