/** The only reader of `process.env`. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import type { Environment } from './load-settings.js';

/** What `npm run` says of itself to the process that it starts (`npm_*`); empty where npm did not start it. */
export function npmVariables(): Environment {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('npm_')));
}

/** The variables of the process, over those of a `.env` file in the working folder where there is one. */
export function readEnvironment(): Environment {
  const file = resolve('.env');
  const fromFile = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  return { ...fromFile, ...process.env };
}
