/** Reads the sinks of `AUDIT_SINKS_FILE` and returns settings or all faults. Pure except for {@link ReadFile}. */
import { IsIn, IsOptional, Matches } from 'class-validator';
import { dirname, resolve } from 'node:path';
import { IsNumber, IsPath, IsSecureUrl } from './rules.js';
import { SINK_FORMATS, type SinkFormat, type SinkSettings } from './settings.js';
import {
  checkEntry,
  parseYaml,
  SecretFiles,
  type Entry,
  type ReadFile,
  type FaultReporter,
} from './yaml-file.js';

class FileEntry {
  /** Each checked against {@link SinkEntry}. */
  @IsOptional()
  sinks: unknown;
}

class SinkEntry {
  @Matches(/^[a-z0-9][a-z0-9-]{0,62}$/, { message: 'must be 1 to 63 characters of a-z 0-9 -' })
  name: string;

  @IsIn(['file', 'stdout', 'https', 'syslog', 'postgres'], {
    message: 'must be file, stdout, https, syslog or postgres',
  })
  type: SinkSettings['type'];

  @IsOptional()
  @IsIn(SINK_FORMATS, { message: `must be ${SINK_FORMATS.join(', ')}` })
  format?: SinkFormat;

  @IsOptional()
  @IsPath()
  path?: string;

  @IsOptional()
  @IsSecureUrl({ query: true })
  url?: string;

  @IsOptional()
  @IsPath()
  token_file?: string;

  @IsOptional()
  @Matches(/^[A-Za-z0-9.:-]{1,253}$/, { message: 'must be a host name or an address' })
  host?: string;

  @IsOptional()
  @IsNumber(1, 65_535)
  port?: number;

  @IsOptional()
  @IsPath()
  ca_file?: string;

  @IsOptional()
  @IsPath()
  database_url_file?: string;
}

/** Members by type, beside `name`, `type` and `format`. `!` marks required ones. */
const TAKES: Readonly<Record<SinkSettings['type'], readonly string[]>> = {
  file: ['path!'],
  stdout: [],
  https: ['url!', 'token_file', 'ca_file'],
  syslog: ['host!', 'port', 'ca_file'],
  postgres: ['database_url_file!'],
};
const SYSLOG_TLS_PORT = 6514;

/** @returns the settings; not valid after a fault. */
export function readSinksFile(path: string, read: ReadFile, faults: string[]): SinkSettings[] {
  const report: FaultReporter = (place, fault) => faults.push(`AUDIT_SINKS_FILE: ${place}${fault}`);
  const file = parseYaml(path, read, 'sinks', report);
  if (!file) return [];
  const before = faults.length;
  checkEntry(FileEntry, file, '', {}, report);
  if (!Array.isArray(file.sinks) || file.sinks.length === 0) {
    report('sinks: ', 'must be a list of at least one sink');
    return [];
  }
  file.sinks.forEach((sink: unknown, at) => checkEntry(SinkEntry, sink, `sinks[${at}]`, {}, report));
  if (faults.length > before) return [];
  const entries = file.sinks as (SinkEntry & Entry)[];
  entries.forEach((entry, at) => checkMembers(entry, `sinks[${at}].`, report));
  entries.forEach(({ name }, at) => {
    const first = entries.findIndex((other) => other.name === name);
    if (first < at) report(`sinks[${at}].name: `, `is the same as that of sinks[${first}]`);
  });
  if (faults.length > before) return [];
  const secrets = new SecretFiles(path, read, report);
  return entries.map((entry, at) => toSink(entry, `sinks[${at}].`, dirname(path), secrets));
}

function checkMembers(entry: SinkEntry & Entry, place: string, report: FaultReporter): void {
  const takes = TAKES[entry.type];
  for (const member of takes.filter((one) => one.endsWith('!')).map((one) => one.slice(0, -1))) {
    if (entry[member] === undefined) report(`${place}${member}: `, `is required for ${entry.type}`);
  }
  const known = [
    'name',
    'type',
    ...(entry.type === 'postgres' ? [] : ['format']),
    ...takes.map((one) => one.replace('!', '')),
  ];
  for (const member of Object.keys(entry).filter((one) => !known.includes(one))) {
    report(`${place}${member}: `, `has no effect for ${entry.type}`);
  }
}

function toSink(entry: SinkEntry, place: string, folder: string, secrets: SecretFiles): SinkSettings {
  const { name, format = 'json' } = entry;
  switch (entry.type) {
    case 'file':
      return { type: 'file', name, format, path: resolve(folder, entry.path ?? '') };
    case 'stdout':
      return { type: 'stdout', name, format };
    case 'https':
      return {
        type: 'https',
        name,
        format,
        url: entry.url ?? '',
        token: secrets.optional(entry.token_file, `${place}token_file`, 1),
        ca: secrets.optional(entry.ca_file, `${place}ca_file`, 1),
      };
    case 'syslog':
      return {
        type: 'syslog',
        name,
        format,
        host: entry.host ?? '',
        port: entry.port ?? SYSLOG_TLS_PORT,
        ca: secrets.optional(entry.ca_file, `${place}ca_file`, 1),
      };
    case 'postgres':
      return {
        type: 'postgres',
        name,
        format: 'json',
        databaseUrl: secrets.optional(entry.database_url_file, `${place}database_url_file`, 1) ?? '',
      };
  }
}
