/** The only reader of `process.env`. */
import { lstatSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { readEnvFile, type EnvFileEntry } from './env-file.js';
import { ConfigurationError } from './load-settings.js';
import { LOWER_CASE_NAMES } from './proxies.js';
import { FILE_NOTICES, VARIABLE_NAMES, type Environment } from './variables.js';

/** Variables of Node.js and the system that take effect before `.env` is read. */
const READ_EARLIER = /^(NODE_(?!ENV$)|UV_|TZ$|SSL_CERT_|OPENSSL_|LD_|PATH$)/;

/** Variables of `npm run` (`npm_*`). Empty without npm. */
export function npmVariables(): Environment {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('npm_')));
}

/**
 * Variables of the process, completed from the file.
 * @param envFile must exist. Undefined: `.env` in the working directory, if it exists.
 * @throws ConfigurationError with the number of each rejected line.
 */
export function readEnvironment(envFile?: string): Environment {
  const file = envFile ?? '.env';
  const entries = entriesOf(file, envFile !== undefined);
  return {
    ...Object.fromEntries(entries.map(({ name, value }) => [name, value])),
    ...process.env,
    [FILE_NOTICES]: noticesOn(file, entries, process.env),
  };
}

function entriesOf(file: string, mustExist: boolean): readonly EnvFileEntry[] {
  const bytes = bytesOf(file, mustExist);
  if (!bytes) return [];
  const read = readEnvFile(bytes);
  const faults = read.ok ? read.entries.flatMap(misspelled) : read.faults;
  if (faults.length > 0) throw new ConfigurationError(faults.map((fault) => `${file}: ${fault}`));
  return read.ok ? read.entries : [];
}

/** @returns undefined for an optional file that does not exist. A broken link is a fault. */
function bytesOf(file: string, mustExist: boolean): Buffer | undefined {
  const path = resolve(file);
  try {
    return readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT' && !mustExist && !lstatSync(path, { throwIfNoEntry: false })) return undefined;
    throw new ConfigurationError([`${file}: the file cannot be read (${code})`]);
  }
}

/** A name that differs from a variable only in case would have no effect. */
function misspelled({ name, line }: EnvFileEntry): string[] {
  if ((LOWER_CASE_NAMES as readonly string[]).includes(name)) return [];
  const meant = VARIABLE_NAMES.find((one) => one === name.toUpperCase() && one !== name);
  return meant === undefined ? [] : [`line ${line} sets ${name}: write ${meant}`];
}

function noticesOn(
  file: string,
  entries: readonly EnvFileEntry[],
  own: Environment,
): ReadonlyMap<string, string> {
  const known: readonly string[] = [...VARIABLE_NAMES, ...LOWER_CASE_NAMES, 'NODE_ENV'];
  const notices = new Map<string, string>();
  for (const { name, value, line } of entries) {
    const at = `${file} line ${line}: ${name}`;
    if (READ_EARLIER.test(name)) {
      notices.set(name, `${at} has no effect there: set it in the environment of the process`);
    } else if (!known.includes(name)) {
      notices.set(name, `${at} is not a variable of this server and has no effect`);
    } else if (own[name] !== undefined && own[name] !== value) {
      notices.set(name, `${at} has no effect: the environment of the process sets another value`);
    }
  }
  return notices;
}
