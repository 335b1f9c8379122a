/** `npm run posture`: the configuration in, the protections that it has and lacks out. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { argumentError, lostOptions, usageError, WRONG_USAGE, type CommandUsage } from '../usage.js';
import { npmVariables, readEnvironment } from '../../config/environment.js';
import { ConfigurationError, loadSettings } from '../../config/load-settings.js';
import { controlsOf, levelOf, LEVELS, missingFor, type Level } from './controls.js';
import { renderPosture } from './render.js';

const HELP = `Says which protections this configuration has, and what the next level needs.

  npm run posture                  for the variables that the server reads; nothing is asked over the network
      --require L1|L2|L3|L4        exit code 1 below this level
  --json                           the same as JSON (npm run -s keeps npm quiet)

[x] on, [~] on and weakened by a setting, [ ] off; behind each the level that needs it and the risks of the
OWASP MCP Top 10 that it is against. docs/posture.md says where the levels come from, and what only you can know.
Exit code: 0 fine, 1 below the level, or a configuration that the server does not start with, 2 wrong usage.`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  require: { type: 'string' },
} as const;

const USAGE: CommandUsage = { script: 'posture', options: OPTIONS };

function main(): number {
  const lost = lostOptions(USAGE, process.argv.slice(2), npmVariables());
  if (lost !== undefined) return wrong(lost);
  let values: { readonly help?: boolean; readonly json?: boolean; readonly require?: string };
  try {
    ({ values } = parseArgs({ options: OPTIONS, strict: true }));
  } catch (error) {
    return wrong(argumentError(error, OPTIONS));
  }
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const required = LEVELS.find((level) => level === values.require);
  if (values.require !== undefined && !required) return wrong(`--require is one of ${LEVELS.join(', ')}.`);
  return show(values.json === true, required);
}

function show(asJson: boolean, required: Level | undefined): number {
  const settings = loadSettings(readEnvironment(), (path) => readFileSync(path, 'utf8'));
  const controls = controlsOf(settings);
  const level = levelOf(controls) ?? null;
  console.log(asJson ? JSON.stringify({ level, controls }, null, 2) : renderPosture(controls));
  return required && missingFor(controls, required).length > 0 ? 1 : 0;
}

function wrong(message: string): number {
  console.error(usageError(USAGE, message));
  return WRONG_USAGE;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(error instanceof ConfigurationError ? error.message : error);
  process.exitCode = 1;
}
