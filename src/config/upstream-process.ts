/** Process of a stdio upstream, from `UPSTREAMS_FILE`. */
import { dirname, resolve } from 'node:path';
import { isJsonObject } from '../lib/json.js';
import type { UpstreamEntry } from './upstream-entries.js';
import { secretOf, type Reading } from './upstream-secrets.js';

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** Command, environment and working directory of a stdio upstream. */
export function toProcess(entry: UpstreamEntry, place: string, reading: Reading) {
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

/** Program and arguments. A file can hold an argument that is a secret. */
function toCommand(
  value: unknown,
  place: string,
  reading: Reading,
  found: string[],
): readonly [string, ...string[]] {
  const { report } = reading;
  const parts: unknown[] = Array.isArray(value) ? value : [];
  const read = parts.map((part, at) => {
    if (typeof part === 'string' && part !== '' && !part.includes('\0')) return part;
    const { file } = (isJsonObject(part) ? part : {}) as { file?: unknown };
    if (at > 0 && typeof file === 'string' && Object.keys(part as object).length === 1) {
      return secretOf(file, `${place}[${at}].file`, reading, found);
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
  reading: Reading,
  found: string[],
): Record<string, string> {
  const { report } = reading;
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
      } else if (variables.has(name)) report(`${at}: `, 'is set in both env and env_files');
      else {
        variables.set(name, member === 'env' ? value : secretOf(value, at, reading, found));
      }
    }
  }
  return Object.fromEntries(variables);
}
