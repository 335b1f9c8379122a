/** Usage errors, and options that `npm run` consumed because `--` was missing. Pure. */
import type { Command, CommanderError, Option } from 'commander';
import { formatAlternatives, onOneLine, quote } from '../lib/format-text.js';
import { redactTokens } from '../lib/redact-tokens.js';
import { nearNames } from '../lib/similar-names.js';

/** Variables of npm for child processes (`npm_*`). */
export type NpmVariables = Readonly<Record<string, string | undefined>>;

/** Wrong command line: one sentence without possibly secret values. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const MAX_NAME = 40;

/** npm expands a prefix of its own options (npm 11). */
const TAKEN_FOR: Readonly<Record<string, string>> = { token: 'token_description', by: 'bypass_2fa' };

/** Two lines: the error and the help command. */
export function renderUsageError(message: string, command: Command, npm: NpmVariables): string {
  const [script, ...rest] = pathOf(command);
  const start =
    script !== undefined && npm.npm_lifecycle_event === script ? `npm run ${script} --` : undefined;
  const path = start === undefined ? ['mcp-gate', ...pathOf(command)] : [start, ...rest];
  return `${onOneLine(redactTokens(message))}\nHelp: ${[...path, '--help'].join(' ')}`;
}

/** Deepest command named by the arguments. */
export function commandAt(program: Command, args: readonly string[]): Command {
  let command = program;
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] as string;
    if (arg === '--') break;
    if (arg.startsWith('-')) {
      if (takesValue(optionsOf(command).find(({ long }) => long === arg))) at += 1;
      continue;
    }
    const next = command.commands.find((one) => one.name() === arg);
    if (!next) break;
    command = next;
  }
  return command;
}

/**
 * Rejects an option without a value before another option, which commander would take as the value.
 * @throws UsageError
 */
export function rejectMissingValues(command: Command, args: readonly string[]): void {
  const end = args.indexOf('--');
  const words = end < 0 ? args : args.slice(0, end);
  const options = optionsOf(command);
  for (const [at, word] of words.entries()) {
    const value = words[at + 1];
    if (value === undefined || !/^-./.test(value)) continue;
    const option = options.find(({ long }) => long === word);
    if (!takesValue(option)) continue;
    throw new UsageError(`${word} needs a value. Write ${word}=VALUE for a value that begins with "-".`);
  }
}

/** @returns the message of a commander error, without option values. */
export function usageMessage({ code, message }: CommanderError, command: Command): string {
  const commands = command.commands.map((one) => one.name());
  switch (code) {
    case 'commander.unknownOption': {
      const flag = /'(-{0,2}[^'\s=]*)/.exec(message)?.[1] ?? '';
      const owners = command.commands.filter((one) => one.options.some(({ long }) => long === flag));
      if (owners.length > 0) {
        return `Write ${flag} after the command: ${formatAlternatives(owners.map((one) => one.name()))}.`;
      }
      return `Unknown option ${flag}.${optionSuggestion(flag, command)}`;
    }
    case 'commander.unknownCommand': {
      const word = command.args[0] ?? '';
      const [near] = nearNames(word, commands);
      const hint = near === undefined ? `Commands: ${commands.join(', ')}.` : `Did you mean ${near}?`;
      return `Unknown command ${quote(redactTokens(word), MAX_NAME)}. ${hint}`;
    }
    case 'commander.help':
      return `Name a command: ${formatAlternatives(commands)}. Options follow it.`;
    default: {
      const sentence = message.replace(/^error: /, '');
      return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1).replace(/\.?$/, '.')}`;
    }
  }
}

/** @returns ` Did you mean --json?`, or an empty text. */
export function optionSuggestion(flag: string, command: Command): string {
  const names = optionsOf(command).map((option) => option.name());
  const [near] = nearNames((flag.split('=')[0] as string).replace(/^-+/, ''), [...names, 'help']);
  return near === undefined ? '' : ` Did you mean --${near}?`;
}

/**
 * Options before `--`: npm consumes them and prints a warning only. Some npm names (`--format`, `--key`) leave no
 * trace.
 * @param args remaining arguments; the first is the script name.
 * @param npm empty without npm.
 * @returns the corrected command; undefined without a lost option.
 */
export function lostOptions(
  program: Command,
  args: readonly string[],
  npm: NpmVariables,
): string | undefined {
  const script = npm.npm_lifecycle_event;
  if (script === undefined || script !== args[0]) return undefined;
  const group = program.commands.find((one) => one.name() === script);
  if (!group) return undefined;
  const options = [...optionsOf(group), ...group.commands.flatMap((one) => one.options)];
  const byName = new Map(options.map((option) => [option.name(), option]));
  byName.delete('version');
  const lost = [...byName.values()].filter(
    (option) => isSet(npm, option) && !args.some((arg) => arg.split('=')[0] === option.long),
  );
  if (lost.length === 0) return undefined;
  const listed = lost.map(({ long }) => long);
  const written = lost.map((option) => `${option.long}${takesValue(option) ? ' …' : ''}`);
  return `npm consumed ${listed.join(', ')}: options of the command go after "--". Write: npm run ${script} -- … ${written.join(' ')}`;
}

/** Command names below the program. */
function pathOf(command: Command): string[] {
  return command.parent ? [...pathOf(command.parent), command.name()] : [];
}

/** Options of the command and its parents. */
function optionsOf(command: Command): Option[] {
  return [...command.options, ...(command.parent ? optionsOf(command.parent) : [])];
}

function takesValue(option: Option | undefined): boolean {
  return option?.required === true;
}

function isSet(npm: NpmVariables, option: Option): boolean {
  const name = option.name();
  const own = npm[`npm_config_${name.replaceAll('-', '_')}`];
  const other = TAKEN_FOR[name] === undefined ? undefined : npm[`npm_config_${TAKEN_FOR[name]}`];
  const isLost = takesValue(option) ? own !== undefined : own !== undefined && own !== '';
  return isLost || (other !== undefined && other !== '');
}
